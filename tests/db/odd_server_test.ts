import assert from "node:assert/strict";
import { createSession } from "../../domain/session.ts";
import { migrate } from "../../db/mod.ts";
import { adopt, open } from "../../lab/databases/helpers.ts";
import { TestServer } from "../../lab/databases/server.ts";
import { ownServerProgram, type ServerKind, whatIsMissing } from "../../lab/databases/server_program.ts";

const program = await ownServerProgram();

/** As little as possible is as it usually is. */
const OPTIONS = [
  "--sql-mode=ANSI,TRADITIONAL,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,HIGH_NOT_PRECEDENCE,PAD_CHAR_TO_FULL_LENGTH," +
  "NO_UNSIGNED_SUBTRACTION,ONLY_FULL_GROUP_BY",
  "--default-time-zone=+05:30",
  "--transaction-isolation=SERIALIZABLE",
  "--autocommit=0",
  "--completion-type=CHAIN",
  "--character-set-server=latin1",
  "--collation-server=latin1_swedish_ci",
  "--default-storage-engine=MyISAM",
  "--explicit-defaults-for-timestamp=OFF",
  "--innodb-rollback-on-timeout=ON",
  "--log-bin=bin",
  "--server-id=1",
  "--binlog-format=ROW",
  "--init-connect=set sql_select_limit = 1, names latin1",
];
const OF_ITS_OWN: Readonly<Record<ServerKind, readonly string[]>> = {
  mariadb: ["--skip-character-set-client-handshake", "--innodb-snapshot-isolation=ON"],
  mysql: ["--sql-require-primary-key=ON", "--sql-generate-invisible-primary-key=ON"],
};
/** Names of tables and databases in lower case, as on Windows. */
const BEFORE_THE_DATA = ["--lower-case-table-names=1"];

Deno.test({
  name: "mysql: the store behaves as ever on a server that is set up in an unusual way" +
    (program === undefined ? ` (skipped: ${whatIsMissing()})` : ""),
  ignore: program === undefined,
  fn: async () => {
    await using server = await TestServer.start(
      program!,
      [...OPTIONS, ...OF_ITS_OWN[program!.kind]],
      BEFORE_THE_DATA,
    );
    const { url: any, drop } = await server.database();
    await drop();
    await server.run("create database Store_IN_Capitals");
    // Without special rights, since with them `init_connect` is not for it.
    for (const host of ["localhost", "127.0.0.1"]) {
      await server.run(`create user 'app'@'${host}' identified by 'hunter2'`);
      const rights = "select, insert, update, delete, create, alter";
      await server.run(`grant ${rights} on Store_IN_Capitals.* to 'app'@'${host}'`);
    }
    const url = Object.assign(new URL(any), {
      username: "app",
      password: "hunter2",
      pathname: "/Store_IN_Capitals",
    }).href;
    const { applied } = await migrate(url);
    assert.ok(applied.length > 0);
    assert.equal((await migrate(url)).applied.length, 0);

    const ids = Array.from({ length: 12 }, (_, n) => `sender_${n}`);
    const message = "Ā 😀 \\ ' \" ? a\u0301 ";
    const instant = Date.UTC(2026, 2, 29, 1, 30, 0, 789);
    const keys = ids.map((id) => ({ type: "session", id: `${id} Ā😀\\'`, value: message }));
    await using store = await open(url);
    await using other = await open(url);
    for (const id of ids) {
      await store.findOrCreate(id, instant);
      const lastError = { code: "NETWORK", message } as const;
      const failed = {
        ...createSession(id, instant),
        status: "disconnected",
        qr: { status: "none" },
        lastError,
      } as const;
      await store.save({ ...failed, disconnectedAt: instant + 1 }, adopt(`login of ${id}`, keys));
    }
    // What one store has answered the other sees.
    for (const id of ids) {
      const found = (await other.find(id))!;
      assert.equal(found.link, "working");
      assert.deepEqual([found.session.createdAt, found.session.disconnectedAt], [instant, instant + 1]);
      assert.deepEqual(found.session.lastError, { code: "NETWORK", message });
      assert.equal(await other.loadCredentials(id), `login of ${id}`);
      assert.equal((await other.loadKeys(id, "session", keys.map((key) => key.id))).size, keys.length);
    }
    assert.equal((await other.listUnsettled()).length, ids.length);
    assert.deepEqual(await other.countByStatus(), new Map([["disconnected", ids.length]]));

    const leases = store.leases!;
    await leases.join("me", 60_000);
    await leases.markOrphaned(ids);
    assert.equal((await other.leases!.orphans(100)).length, ids.length);
    const taking = await leases.take(ids[0]!, "me");
    assert.equal(taking.kind, "taken");
    const { sessions, orphans, now } = await other.leases!.clusterSnapshot();
    assert.deepEqual([...sessions], [["me", 1]]);
    assert.equal(orphans, ids.length - 1);
    assert.ok(Math.abs(now - Date.now()) < 3_600_000, "the server's clock is told in UTC");
  },
});
