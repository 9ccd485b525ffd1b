import assert from "node:assert/strict";
import { GOOD } from "./messages.ts";
import { Perch } from "./perch.ts";
import { Workshop } from "./workshop.ts";

Deno.test("SocketWorker counts sockets that WhatsApp left unanswered, and no pairing that nobody scanned", async () => {
  await using perch = await Perch.open();
  const ids = [1, 2, 3, 4, 5, 6, 7, 8];
  for (const id of ids) perch.socket(id, "pair");
  const of = (socket: number, message: unknown) => ({ ...message as object, socket });
  await perch.hear(...ids.slice(0, 6).map((id) => of(id, GOOD.qr)));
  await perch.hear(...ids.slice(0, 6).map((id) => of(id, GOOD.closed)));
  assert.equal(perch.worker.unanswered, 0);
  await perch.hear(...ids.slice(6).map((id) => of(id, GOOD.closed)));
  assert.equal(perch.worker.unanswered, 2);
});

Deno.test("pairings that nobody scans retire no worker, and sockets that WhatsApp leaves unanswered do", async () => {
  await using workshop = await Workshop.open({
    settings: { qrMs: 50, connectMs: 4_000 },
    pool: { watch: { pulseMs: 100, hangMs: 60_000, unansweredLimit: 3 } },
  });
  const unscanned = { origin: "client", code: 408 };
  const open = () => workshop.openSocket({ kind: "pair" });
  const shown = Array.from({ length: 6 }, open);
  for (const { closed, qr } of shown) {
    await qr;
    assert.deepEqual(await closed, unscanned);
  }
  workshop.gateway.faults.add({ do: "hang-upgrade" });
  const retired = workshop.line("worker_retired");
  for (const { closed } of Array.from({ length: 3 }, open)) assert.deepEqual(await closed, unscanned);
  assert.equal((await retired).unanswered, 3);
  assert.equal(workshop.lines.filter(({ event }) => event === "worker_retired").length, 1);
});
