import assert from "node:assert/strict";
import { generateCredentialKey, openStore, parseCredentialKeys } from "../../db/mod.ts";
import { checkVersion } from "../../tools/doctor/database.ts";
import { judgeGrants } from "../../tools/doctor/privileges.ts";
import { insertRows, LARAVEL, ROWS } from "../db/adoption/tables.ts";
import { mysql } from "../../lab/databases/helpers.ts";
import { type TestServer, testServer } from "../../lab/databases/server.ts";
import { closedPort, doctor, inFolder, seal } from "./doctor_run.ts";

const server = await testServer();
const dialect = await mysql();

/** A test over a MySQL or MariaDB server, with a database and an environment of its own. */
function serverTest(
  name: string,
  body: (environment: Record<string, string>, url: string, server: TestServer) => Promise<void>,
): void {
  Deno.test({
    name: `doctor ${name}${dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`}`,
    ignore: dialect.skipped !== undefined,
    fn: () =>
      inFolder(async (_, { DATABASE_URL: _sqlite, ...environment }) => {
        await using database = await dialect.database();
        const CREDENTIALS_KEY = generateCredentialKey();
        await body({ ...environment, CREDENTIALS_KEY, DATABASE_URL: database.url }, database.url, server!);
      }),
  });
}

/** The same database by another account. */
function by(url: string, user: string, password: string): string {
  return Object.assign(new URL(url), { username: user, password }).href;
}

serverTest(
  "finds no fault with a MySQL server, and leaves no table behind",
  async (environment, url, server) => {
    const before = await doctor(environment, "--json");
    assert.equal(before.code, 0, before.text);
    assert.deepEqual(before.outcomes, {
      configuration: "ok",
      "caller keys": "warning",
      address: "ok",
      database: "ok",
      privileges: "ok",
      clock: "ok",
      tables: "ok",
      credentials: "ok",
      whatsapp: "ok",
    });
    const name = new URL(url).pathname.slice(1);
    assert.deepEqual(await server.run(`show tables from ${name}`), []);
    await seal(url, environment.CREDENTIALS_KEY!);
    const after = await doctor(environment, "--json");
    assert.equal(after.saw("credentials"), "All 2 sealed entries of 1 sessions open.");
    assert.equal((await server.run(`show tables like '%doctor%'`, name)).length, 0);
  },
);

serverTest("says whether the replicas that are present have the keys at hand", async (environment, url) => {
  const [old, fresh, other] = [
    environment.CREDENTIALS_KEY!,
    generateCredentialKey(),
    generateCredentialKey(),
  ];
  const report = (...keys: string[]) => doctor({ ...environment, CREDENTIALS_KEY: keys.join(",") }, "--json");
  await using replica = await openStore({ url, keys: parseCredentialKeys(old) });
  assert.equal((await report(old)).outcomes.replicas, undefined);
  await replica.leases!.join("one", 3_600_000);
  assert.equal((await report(old)).saw("replicas"), "1 present, and it has the newest key at hand.");
  const ahead = await report(fresh, old);
  assert.equal(ahead.code, 0, ahead.text);
  assert.equal(ahead.outcomes.replicas, "warning");
  assert.equal(
    ahead.saw("replicas"),
    "1 of 1 replicas that are present cannot open what the newest key of CREDENTIALS_KEY seals.",
  );
  const wrong = await report(other);
  assert.equal(wrong.code, 1);
  assert.equal(wrong.saw("replicas"), "A replica with these keys would be refused at its start.");
  for (const secret of [old, fresh, other]) {
    assert.ok(!ahead.text.includes(secret) && !wrong.text.includes(secret));
  }
});

serverTest("says why a MySQL server cannot be used", async (environment, url) => {
  const port = closedPort();
  for (
    const [DATABASE_URL, what] of [
      [`mysql://root@127.0.0.1:${port}/x`, `Nothing listens on 127.0.0.1:${port}.`],
      ["mysql://root@database.invalid/x", "The name database.invalid leads to no address."],
      [
        by(url, "nobody", "hunter2"),
        "The database refuses the user or the password in DATABASE_URL, or lets this account in over TLS alone (ssl).",
      ],
      [`${url}x`, "The database that DATABASE_URL names does not exist on that server."],
    ] as const
  ) {
    const report = await doctor({ ...environment, DATABASE_URL }, "--json");
    assert.equal(report.code, 1);
    assert.equal(report.saw("database"), what);
    assert.ok(!report.text.includes("hunter2"));
  }
});

serverTest("says why a MySQL server cannot be used for now", async (environment, url, server) => {
  const login = `doctor_${new URL(url).pathname.slice(-8)}`;
  const [row] = await server.run("select substring_index(user(), '@', -1) as host");
  const user = `${login}@'${row?.host}'`;
  await server.run(`create user ${user} identified by 'pw' with max_queries_per_hour 1`);
  await server.run(`grant all on ${new URL(url).pathname.slice(1)}.* to ${user}`);
  try {
    const report = await doctor({ ...environment, DATABASE_URL: by(url, login, "pw") }, "--json");
    assert.equal(report.code, 1);
    const { host } = new URL(url);
    assert.equal(
      report.saw("database"),
      `${host} cannot be used for now, since a limit of this user is reached: error 1226 (SQLSTATE 42000).`,
    );
  } finally {
    await server.run(`drop user ${user}`);
  }
});

serverTest("judges an account by what it may do", async (environment, url, server) => {
  const name = new URL(url).pathname.slice(1);
  const login = `doctor_${name.slice(-8)}`;
  // As the server sees this machine: a nameless account of it would come before one of every host.
  const [row] = await server.run("select substring_index(user(), '@', -1) as host");
  const user = `${login}@'${row?.host}'`;
  await server.run(`create user ${user} identified by 'pw'`);
  try {
    const DATABASE_URL = by(url, login, "pw");
    for (
      const [grants, outcome] of [
        ["select, insert, update, delete, create, alter", "ok"],
        ["select, insert, update, delete", "warning"],
        ["select", "fault"],
        ["select, insert, update, delete, create, alter, drop", "ok"],
        ["select, insert, create, alter, drop", "fault"],
      ] as const
    ) {
      await server.run(`grant ${grants} on ${name}.* to ${user}`);
      const report = await doctor({ ...environment, DATABASE_URL }, "--json");
      assert.equal(report.outcomes.privileges, outcome, `${grants}: ${report.text}`);
      await server.run(`revoke all privileges on ${name}.* from ${user}`);
      assert.deepEqual(await server.run(`show tables from ${name}`), []);
    }
  } finally {
    await server.run(`drop user ${user}`);
  }
});

serverTest(
  "finds a table that does not fit, and a migration that is yet to come",
  async (environment, url, server) => {
    const name = new URL(url).pathname.slice(1);
    await server.run("create table ll_whatsapp_qr_sessions (id int primary key)", name);
    const foreign = await doctor(environment, "--json");
    assert.equal(foreign.code, 1);
    const said = foreign.checks.filter((check) => check.name === "tables");
    assert.match(said[0]?.saw ?? "", /^Table ll_whatsapp_qr_sessions: column id .* is expected\.$/);
    // Everything at once: what is missing, and that nobody could make it up.
    assert.equal(said.filter(({ outcome }) => outcome === "fault").length, 14);
    assert.match(said[1]?.saw ?? "", /column instance_id is missing/);
    await server.run("drop table ll_whatsapp_qr_sessions", name);
    await server.run(LARAVEL, name);
    await server.run(insertRows(ROWS), name);
    await server.run("alter table ll_whatsapp_qr_sessions modify status varchar(20)", name);
    await server.run("update ll_whatsapp_qr_sessions set status = 'paused' where id = 1", name);
    const shops = await doctor(environment);
    for (
      const line of [
        /^fault +tables +ll_whatsapp_qr_sessions: 1 row cannot be taken over: status is none of [^\n]* sender_51 \("paused"\)/m,
        /^fault +tables +Table ll_whatsapp_qr_sessions: column instance_id is varchar\(255\)[^\n]*--alter` mends it\.$/m,
        /^warning +tables +--alter would run: alter table ll_whatsapp_qr_sessions modify column instance_id/m,
      ]
    ) assert.match(shops.text, line);
    await server.run("drop table ll_whatsapp_qr_sessions", name);
    await seal(url, environment.CREDENTIALS_KEY!);
    await server.run("delete from ll_whatsapp_migrations order by name desc limit 1", name);
    const pending = await doctor(environment, "--json");
    assert.equal(pending.outcomes.tables, "warning", pending.text);
  },
);

Deno.test("checkVersion() takes MySQL 8.0 and MariaDB 10.6, and nothing older", () => {
  const place = "h:3306";
  const verdicts = {
    "8.0.45": "ok",
    "8.4.3-log": "ok",
    "9.1.0": "ok",
    "5.7.44": "fault",
    "10.6.0-MariaDB": "ok",
    "11.4.2-MariaDB-ubu2404": "ok",
    "10.5.29-MariaDB": "fault",
  };
  for (const [version, outcome] of Object.entries(verdicts)) {
    assert.equal(checkVersion(version, place).outcome, outcome, version);
  }
});

Deno.test("judgeGrants() reads scopes, wildcards, roles and grants on tables", () => {
  const all = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER";
  for (
    const [grants, outcome] of [
      [["GRANT ALL PRIVILEGES ON *.* TO `u`@`%` WITH GRANT OPTION"], "ok"],
      [["GRANT USAGE ON *.* TO `u`@`%`", `GRANT ${all} ON \`sm\\_db\`.* TO \`u\`@\`%\``], "ok"],
      [["GRANT USAGE ON *.* TO `u`@`%`", `GRANT ${all} ON \`sm%\`.* TO \`u\`@\`%\``], "ok"],
      [["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT ON `sm_db`.* TO `u`@`%`"], "fault"],
      [["GRANT USAGE ON *.* TO `u`@`%`"], "fault"],
      [["GRANT USAGE ON *.* TO `u`@`%`", "GRANT `writer`@`%` TO `u`@`%`"], "warning"],
      [["GRANT USAGE ON *.* TO `u`@`%`", "GRANT SELECT ON `sm_db`.`t` TO `u`@`%`"], "warning"],
    ] as const
  ) assert.equal(judgeGrants(grants, "sm_db", "drop a table").outcome, outcome, grants.join());
});
