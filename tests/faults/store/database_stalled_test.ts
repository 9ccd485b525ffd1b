/**
 * A server that answers reads and leaves commits waiting, as both do on a disk that is full once they log what they write
 * (`log_bin`). Here a commit waits for a replica to confirm it, and there is none: that can be had everywhere, and ends
 * when it is to.
 */
import assert from "node:assert/strict";
import { STORE_BOUNDS } from "../../../db/terms.ts";
import { type Answer, fault } from "../../../lab/hub.ts";
import { startOn } from "../../e2e/world.ts";
import { mysql } from "../../../lab/databases/helpers.ts";
import { globalStatus, TestServer } from "../../../lab/databases/server.ts";
import {
  ownServerProgram,
  type ServerKind,
  wantedKind,
  whatIsMissing,
} from "../../../lab/databases/server_program.ts";
import { PATIENT } from "./own_server.ts";

const program = await ownServerProgram();

/** What semi-synchronous replication is called where. */
const NAMES: Readonly<Record<ServerKind, { readonly prefix: string; readonly other: string }>> = {
  mariadb: { prefix: "rpl_semi_sync_master", other: "slave" },
  mysql: { prefix: "rpl_semi_sync_source", other: "replica" },
};
const { prefix, other } = NAMES[wantedKind()];
const OPTIONS = [
  "--log-bin=bin",
  "--server-id=1",
  "--binlog-format=ROW",
  ...(wantedKind() === "mysql" ? ["--plugin-load-add=semisync_source.so"] : []),
  `--loose-${prefix}-timeout=4294967295`,
  `--loose-${prefix}-wait-no-${other}=ON`,
];

/** Longer than the test takes: neither answers a call. */
const NEVER_MS = 3_600_000;

function unavailable(answer: Answer, expected: string): void {
  assert.equal(fault(answer), `500 ${expected}`);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

Deno.test({
  name: `writes are refused, immediately and without a connection, while commits are stuck, on mysql${
    program === undefined ? ` (skipped: ${whatIsMissing()})` : ""
  }`,
  ignore: program === undefined,
  fn: async () => {
    await using server = await TestServer.start(program!, OPTIONS);
    await using databases = new AsyncDisposableStack();
    const storeBounds = { ...STORE_BOUNDS, callMs: NEVER_MS, statementMs: NEVER_MS, patienceMs: NEVER_MS };
    await using world = await startOn(databases, await mysql(server))({ ...PATIENT, storeBounds });
    const { hub, gateway } = world;
    const phone = await world.link("dropped");
    await world.link("kept");
    const { qr_string } = await hub.qr("shown");
    try {
      await server.run(`set global ${prefix}_enabled = ON`);
      await world.untilReadiness(503);
      const connections = await globalStatus(server, "Threads_connected");
      for (let n = 0; n < 30; n++) unavailable(await hub.requestQr(`new_${n}`), "QR_GENERATION_FAILED");
      // Those of the presence come and go.
      const more = await globalStatus(server, "Threads_connected") - connections;
      assert.ok(more <= 5, `${more} connections`);
      // What is read, or known, is told.
      assert.equal(fault(await hub.get("new_0")), "404 SESSION_NOT_FOUND");
      assert.equal((await hub.session("kept")).status, "connected");
      assert.equal((await hub.qr("shown")).qr_string, qr_string);
      // What has changed, and cannot be written, is not.
      const stalled = world.untilStalled("dropped");
      gateway.drop(phone);
      await stalled;
      unavailable(await hub.get("dropped"), "SESSION_MANAGER_ERROR");
    } finally {
      await server.run(`set global ${prefix}_enabled = OFF`);
    }
    await world.untilStatus("dropped", "connected");
    await world.untilReadiness(200);
    assert.equal((await hub.requestQr("new_0")).status, 200);
    assert.equal((await hub.session("kept")).status, "connected");
    assert.equal(gateway.stats.overlaps, 0);
    assert.equal(phone.devices.length, 1);
  },
});
