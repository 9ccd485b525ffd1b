/**
 * A cluster that begins to take writes on more than one node while the service runs: for as long as it does the database
 * counts as away, since the fence is a lock and a lock is its server's alone.
 */
import assert from "node:assert/strict";
import { STORE_BOUNDS } from "../../../db/terms.ts";
import { REPLICA_BOUNDS } from "../../../cluster/replica.ts";
import { fault } from "../../../lab/hub.ts";
import { startOn } from "../../e2e/world.ts";
import { freePort, startGroupOfOne, toOnePrimary, toSeveralPrimaries } from "../../db/group_of_one.ts";
import { mysql } from "../../../lab/databases/helpers.ts";
import { TestServer } from "../../../lab/databases/server.ts";
import { ownServerProgram, wantedKind, whatIsMissing } from "../../../lab/databases/server_program.ts";
import { PATIENT } from "./own_server.ts";

const program = await ownServerProgram();
const GALERA = "/usr/lib/galera/libgalera_smm.so";

/** A switch to several writers and back: nothing is answered or written in between, and all is as before afterwards. */
async function isAwayMeanwhile(
  server: TestServer,
  sentence: RegExp,
  forth: () => Promise<void>,
  back: () => Promise<void>,
): Promise<void> {
  await using databases = new AsyncDisposableStack();
  const start = startOn(databases, await mysql(server));
  await using world = await start({
    ...PATIENT,
    storeBounds: { ...STORE_BOUNDS, patienceMs: 2_500 },
    supervision: { replica: REPLICA_BOUNDS },
  });
  const { hub, gateway, log } = world;
  const phone = await world.link("linked");
  const refused = log.next(({ event }) => event === "database_refused");
  const fenced = log.next(({ event }) => event === "replica_fenced");
  const closed = gateway.when("closed", { phone: phone.number });
  await forth();
  assert.match(String((await refused).reason), sentence);
  const answers = await Promise.all([
    hub.get("unknown"),
    hub.requestQr("new"),
    hub.disconnected("linked", "NETWORK"),
  ]);
  assert.deepEqual(answers.map(fault), [
    "500 SESSION_MANAGER_ERROR",
    "500 QR_GENERATION_FAILED",
    "500 SESSION_MANAGER_ERROR",
  ]);
  for (const { headers } of answers) assert.match(headers.get("retry-after") ?? "", /^[1-9]\d*$/);
  await world.untilReadiness(503);
  await fenced;
  await closed;
  const online = gateway.when("online", { phone: phone.number });
  const accepted = log.next(({ event }) => event === "database_accepted");
  await back();
  await accepted;
  await online;
  await world.untilStatus("linked", "connected");
  await world.untilReadiness(200);
  assert.equal((await hub.requestQr("new")).status, 200);
  assert.equal(gateway.stats.overlaps, 0);
  assert.equal(phone.devices.length, 1);
}

if (wantedKind() === "mysql") {
  Deno.test({
    name: `a group that is switched to several primaries is away until it has one again, on mysql${
      program === undefined ? ` (skipped: ${whatIsMissing()})` : ""
    }`,
    ignore: program === undefined,
    fn: async () => {
      await using server = await startGroupOfOne(program!);
      await isAwayMeanwhile(
        server,
        /group with several primaries/,
        () => toSeveralPrimaries(server),
        () => toOnePrimary(server),
      );
    },
  });
}

// Galera is MariaDB's.
const isGaleraThere = await Deno.stat(GALERA).then(() => true, () => false);
if (wantedKind() === "mariadb") {
  const why = program === undefined ? whatIsMissing() : isGaleraThere ? "" : "no galera here";
  Deno.test({
    name: `a node that is made one of a Galera cluster is away until it is none again, on mysql${
      why && ` (skipped: ${why})`
    }`,
    ignore: why !== "",
    fn: async () => {
      await using server = await TestServer.start(program!, [
        `--wsrep-provider=${GALERA}`,
        "--wsrep-cluster-address=gcomm://",
        `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${freePort()}`,
        "--wsrep-node-address=127.0.0.1",
        "--wsrep-on=ON",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
      ]);
      const turn = async (on: "ON" | "OFF") => void await server.run(`set global wsrep_on = ${on}`);
      await turn("OFF");
      await isAwayMeanwhile(server, /Galera/, () => turn("ON"), () => turn("OFF"));
    },
  });
}
