import assert from "node:assert/strict";
import { connect } from "../../db/database.ts";
import { DatabaseUnusableError } from "../../db/errors.ts";
import { SeveralWritersError, Topology, TOPOLOGY_MS, writersFault } from "../../db/topology.ts";
import { dialectTest, mysql, query } from "../../lab/databases/helpers.ts";
import { TestServer } from "../../lab/databases/server.ts";
import { ownServerProgram, wantedKind } from "../../lab/databases/server_program.ts";

const GALERA = "/usr/lib/galera/libgalera_smm.so";

Deno.test("writersFault() takes one server and a group of one primary, and no cluster of several writers", () => {
  const group = { group_replication_group_name: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa" };
  const cases: [Record<string, string>, RegExp | null][] = [
    [{}, null],
    [{ wsrep_on: "OFF", wsrep_provider: "none" }, null],
    [{ wsrep_on: "ON", wsrep_provider: "none" }, null], // Percona's, alone
    [{ wsrep_on: "ON", wsrep_provider: "" }, null],
    [{ wsrep_on: "OFF", wsrep_provider: GALERA }, null],
    [{ wsrep_on: "ON", wsrep_provider: GALERA }, /Galera/],
    [{ group_replication_group_name: "", group_replication_single_primary_mode: "OFF" }, null],
    [{ ...group, group_replication_single_primary_mode: "ON" }, null],
    [{ ...group, group_replication_single_primary_mode: "OFF" }, /group_replication_single_primary_mode/],
  ];
  for (const [variables, sentence] of cases) {
    const fault = writersFault(new Map(Object.entries(variables)));
    if (sentence === null) assert.equal(fault, null, JSON.stringify(variables));
    else assert.match(fault ?? "", sentence);
  }
});

Deno.test("Topology tells each change once, and is asked again after a while, sooner where something is wrong", () => {
  let now = 0;
  const told: (string | null)[] = [];
  const topology = new Topology((fault) => told.push(fault), () => now);
  const group = (mode: string) => [
    { Variable_name: "group_replication_group_name", Value: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa" },
    { Variable_name: "Group_replication_single_primary_mode", Value: mode },
  ];
  assert.ok(topology.isStale);
  topology.learn(group("ON"));
  assert.ok(!topology.isStale);
  now += TOPOLOGY_MS.well;
  assert.ok(topology.isStale);
  for (let n = 0; n < 2; n++) assert.throws(() => topology.learn(group("OFF")), SeveralWritersError);
  assert.ok(!topology.isStale);
  now += TOPOLOGY_MS.wrong;
  assert.ok(topology.isStale);
  assert.throws(() => topology.assertOneWriter(), /single_primary_mode/);
  for (let n = 0; n < 2; n++) topology.learn(group("ON"));
  topology.assertOneWriter();
  assert.ok(!topology.isStale);
  assert.match(told[0] ?? "", /group with several primaries/);
  assert.deepEqual(told.slice(1), [null]);
});

const program = await ownServerProgram();
const isGaleraThere = await Deno.stat(GALERA).then(() => true, () => false);
const why = program === undefined ? "no mariadbd here" : isGaleraThere ? "" : "no galera here";

// Galera is MariaDB's.
if (wantedKind() === "mariadb") {
  Deno.test({
    name: `connect() refuses a node of a Galera cluster with a sentence${why && ` (skipped: ${why})`}`,
    ignore: why !== "",
    fn: async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      listener.close();
      await using server = await TestServer.start(program!, [
        "--wsrep-on=ON",
        `--wsrep-provider=${GALERA}`,
        "--wsrep-cluster-address=gcomm://",
        `--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:${port}`,
        "--wsrep-node-address=127.0.0.1",
        "--binlog-format=ROW",
        "--innodb-autoinc-lock-mode=2",
      ]);
      const { url } = await server.database();
      await assert.rejects(connect(url), (error) => {
        assert.ok(error instanceof DatabaseUnusableError, String(error));
        assert.match(error.message, /Galera/);
        return true;
      });
    },
  });
}

dialectTest(
  await mysql(),
  "connect() sets what a server knows, and leaves out what it does not",
  async (url) => {
    const [row] = await query(url, "select @@lock_wait_timeout as seconds");
    assert.equal(Number(row.seconds), 2);
    const known = await query(url, "show variables like 'group_replication_consistency'");
    for (const { Value } of known) assert.equal(Value, "BEFORE_ON_PRIMARY_FAILOVER");
  },
);
