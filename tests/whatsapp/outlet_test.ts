import assert from "node:assert/strict";
import type { Report } from "../../whatsapp/protocol.ts";
import { Outlet, type SocketRequests } from "../../whatsapp/worker/outlet.ts";
import { PendingRequests } from "../../whatsapp/worker/requests.ts";

const CLOSED = { type: "closed", cause: { origin: "client", code: 428 } } as const;
const LOAD = { type: "load_keys", keyType: "session", ids: ["1"] } as const;
const SAVE = { type: "save_keys", keys: [] } as const;

function outlets(...ids: number[]) {
  const reports: Report[] = [];
  const requests: SocketRequests = new PendingRequests();
  return {
    reports,
    requests,
    outlets: ids.map((id) => new Outlet(id, requests, (report) => reports.push(report))),
  };
}

Deno.test("send() reports an event with its moment and the present", () => {
  const { reports, outlets: [outlet] } = outlets(3);
  const before = performance.now();
  outlet!.send({ type: "passkey_demanded" }, 1);
  const [report] = reports;
  assert.ok(report?.type === "event" && report.now >= before && report.now <= performance.now());
  const event = { type: "passkey_demanded" };
  assert.deepEqual(report, { type: "event", socket: 3, event, at: 1, now: report.now });
});

Deno.test("send() and request() send nothing when the socket is over", async () => {
  const { reports, outlets: [closed, gone] } = outlets(1, 2);
  closed!.send(CLOSED, 0);
  closed!.send(CLOSED, 0);
  gone!.end(true);
  for (const outlet of [closed!, gone!]) {
    outlet.send({ type: "passkey_demanded" }, 0);
    await assert.rejects(outlet.request(LOAD), /The socket is over/);
  }
  assert.deepEqual(reports.map(({ type }) => type), ["event", "gone"]);
  closed!.end(false);
  assert.deepEqual(reports.slice(1), [
    { type: "gone", socket: 2, unlinked: true },
    { type: "gone", socket: 1, unlinked: false },
  ]);
});

Deno.test("request() resolves with its own answer, and rejects when that is a failure", async () => {
  const { reports, requests, outlets: [one, two] } = outlets(1, 2);
  const [loading, saving] = [one!.request(LOAD), two!.request(SAVE)];
  assert.deepEqual(reports, [
    { type: "request", socket: 1, id: 1, request: LOAD },
    { type: "request", socket: 2, id: 2, request: SAVE },
  ]);
  requests.settle(2, null);
  await assert.rejects(saving, /could not answer/);
  const found = new Map([["1", "x"]]);
  requests.settle(1, found);
  assert.equal(await loading, found);
});

Deno.test("end() rejects what its socket waits for, and ignores the answer that comes later", async () => {
  const { requests, outlets: [one, two] } = outlets(1, 2);
  const [saving, other] = [one!.request(SAVE), two!.request(SAVE)];
  one!.end(false);
  await assert.rejects(saving, /The socket is over/);
  assert.equal(requests.size, 1);
  assert.equal(requests.settle(1, new Map()), "late");
  requests.settle(2, new Map());
  assert.deepEqual(await other, new Map());
});
