import assert from "node:assert/strict";
import { good } from "./messages.ts";
import { ScriptedHandle } from "./scripted_handle.ts";
import { Workshop } from "./workshop.ts";

Deno.test("WorkerHandle.unanswered counts a socket when it ended unanswered and had shown no QR", async () => {
  await using handle = await ScriptedHandle.open();
  const ids = [1, 2, 3, 4, 5, 6, 7, 8];
  for (const id of ids) handle.socket(id, "pair");
  await handle.receive(...ids.slice(0, 6).map((socket) => good("qr", { socket })));
  await handle.receive(...ids.slice(0, 6).map((socket) => good("closed", { socket })));
  assert.equal(handle.worker.unanswered, 0);
  await handle.receive(...ids.slice(6).map((socket) => good("closed", { socket })));
  assert.equal(handle.worker.unanswered, 2);
});

Deno.test("WorkerPool retires a worker when WhatsApp leaves its sockets unanswered, and not when nobody scans", async () => {
  await using workshop = await Workshop.open({
    settings: { qrMs: 50, connectMs: 4_000 },
    pool: { watch: { heartbeatMs: 100, hangMs: 60_000, unansweredLimit: 3 } },
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
