/** What keeps a table from being made or altered on a server: the account's privileges, and a service that runs. */
import assert from "node:assert/strict";
import { MIGRATIONS } from "../../../db/migrations/mod.ts";
import { describeMigration, migrate } from "../../../db/mod.ts";
import { dialectTest, mysql, open, query } from "../../../lab/databases/helpers.ts";
import { insertRows, LARAVEL, place, ROWS } from "./tables.ts";

const dialect = await mysql();

/** Gives an account of its own these privileges on the database, and its URL. */
async function withAccount(
  url: string,
  grants: string,
  body: (url: string, regrant: (grants: string) => Promise<void>) => Promise<void>,
): Promise<void> {
  const { server, name } = place(url);
  const login = `account_${name.slice(-8)}`;
  // As the server sees this machine: a nameless account of it would come before one of every host.
  const [row] = await server.run("select substring_index(user(), '@', -1) as host");
  const user = `${login}@'${row?.host}'`;
  await server.run(`create user ${user} identified by 'pw'`);
  const grant = async (what: string) => {
    await server.run(`grant ${what} on ${name}.* to ${user}`);
  };
  try {
    await grant(grants);
    await body(Object.assign(new URL(url), { username: login, password: "pw" }).href, grant);
  } finally {
    await server.run(`drop user ${user}`);
  }
}

const DAILY = "select, insert, update, delete";

dialectTest(
  dialect,
  "an account without CREATE is told so, with the statements that somebody else can run",
  async (url) => {
    await withAccount(url, DAILY, async (weak) => {
      const refusal = await migrate(weak).then(() => assert.fail("it may not"), (error) => error);
      assert.equal(refusal.name, "DatabaseUnusableError");
      const [sentence, ...rest] = refusal.message.split("\n");
      assert.match(
        sentence,
        /^The account in DATABASE_URL lacks the privilege CREATE: grant it, .* or have this run in the database:$/,
      );
      const statements = rest.join("\n").split(/;\n?/).filter(Boolean);
      assert.equal(statements.length, 1 + MIGRATIONS.flatMap(({ statements }) => statements.mysql).length);
      // Half of them do not confuse it, and with all of them it goes on by itself.
      for (const statement of statements.slice(0, 4)) await query(url, statement);
      await assert.rejects(migrate(weak), /privilege CREATE/);
      for (const statement of statements.slice(4)) await query(url, statement);
      await using store = await open(weak);
      await store.findOrCreate("sender_51", Date.now());
    });
  },
);

dialectTest(
  dialect,
  "an account without ALTER is told so, with the statement that somebody else can run",
  async (url) => {
    await query(url, LARAVEL);
    await query(url, insertRows(ROWS));
    await withAccount(url, `${DAILY}, create`, async (weak) => {
      const refusal = await migrate(weak, { alter: true }).then(
        () => assert.fail("it may not"),
        (error) => error,
      );
      const [sentence, ...rest] = refusal.message.split("\n");
      assert.match(
        sentence,
        /^The account in DATABASE_URL lacks the privilege ALTER: grant it, .* or have this run in the database:$/,
      );
      assert.equal((await query(url, "show tables")).length, 1);
      await query(url, rest.join("\n"));
      // A migration that adds a column needs it as well.
      const pending = await migrate(weak).then(() => assert.fail("it may not"), (error) => error);
      const [again, ...statements] = pending.message.split("\n");
      assert.match(again, /lacks the privilege ALTER: grant it, .* or have this run in the database:$/);
      for (const statement of statements.join("\n").split(/;\s*/).filter(Boolean)) {
        await query(url, statement);
      }
      await migrate(weak);
      await using _store = await open(weak);
    });
  },
);

dialectTest(dialect, "a table is not altered while a replica serves it", async (url) => {
  {
    await using _store = await open(url);
  }
  await query(url, "alter table ll_whatsapp_qr_sessions modify last_error_code varchar(10) null");
  await query(
    url,
    "insert into ll_whatsapp_replicas values ('a', utc_timestamp(3) + interval 1 hour, utc_timestamp(3) + interval 1 hour)",
  );
  await assert.rejects(
    migrate(url, { alter: true }),
    /^DatabaseUnusableError: 1 replica serves this database: stop the service first/,
  );
  await query(url, "update ll_whatsapp_replicas set expires_at = utc_timestamp(3)");
  const report = await migrate(url, { alter: true });
  assert.ok(report.altered);
  assert.match(describeMigration(report).join("\n"), /ll_whatsapp_qr_sessions: was altered/);
});

dialectTest(
  dialect,
  "a login that is here already is left to the start when its table is taken over again",
  async (url) => {
    {
      await using store = await open(url);
      const { session } = await store.findOrCreate("linked", 1);
      await store.save(session, { kind: "adopt", credentials: "login", keys: [], retiredId: "r" });
      await store.findOrCreate("lost", 1);
    }
    await query(url, "update ll_whatsapp_qr_sessions set status = 'connected'");
    await query(url, "drop table ll_whatsapp_migrations");
    await migrate(url);
    const rows = await query(url, "select instance_id, status from ll_whatsapp_qr_sessions order by id");
    assert.deepEqual(rows.map(({ instance_id, status }) => [instance_id, status]), [
      ["linked", "connected"],
      ["lost", "disconnected"],
    ]);
  },
);
