import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { sql } from "kysely";
import { connect } from "../../db/database.ts";
import { DatabaseUnusableError, migrate } from "../../db/mod.ts";
import { move, type MoveOptions, TargetUnavailableError, undoMove } from "../../db/moving/mod.ts";
import { essence, MOVED_TABLES, type Row, translate } from "../../db/moving/tables.ts";
import { COMMANDS, CREDENTIAL_KEYS, LEASES, MIGRATIONS, REPLICA_KEYS, REPLICAS } from "../../db/schema.ts";
import { claimDatabase } from "../../db/sole_process.ts";
import { dialectTest, mysql, open, query, record, SQLITE } from "../../lab/databases/helpers.ts";
import { testServer } from "../../lab/databases/server.ts";

const MYSQL = await mysql();
const DIALECTS = [SQLITE, MYSQL];
const nobody: MoveOptions["countAlive"] = () => Promise.resolve(0);
const moving = (from: string, to: string, more: Partial<MoveOptions> = {}) =>
  move({ from, to, countAlive: nobody, ...more });

function refused(work: Promise<unknown>, sentence: RegExp): Promise<void> {
  return assert.rejects(work, (error) => {
    assert.ok(error instanceof DatabaseUnusableError, String(error));
    assert.match(error.message, sentence);
    return true;
  });
}

/** Every row of every table that is moved, whatever database it is in. */
async function contents(url: string): Promise<Record<string, string[]>> {
  const database = await connect(url);
  try {
    const told: Record<string, string[]> = {};
    for (const table of MOVED_TABLES) {
      const { rows } = await sql<Row>`select * from ${sql.table(table.table)}`.execute(database.db);
      told[table.table] = rows.map((row) => essence(table, row)).sort();
    }
    return told;
  } finally {
    await database.close();
  }
}

const ledger = async (url: string) =>
  (await query(url, "select name from ll_whatsapp_migrations order by name")).map(({ name }) => name);

const digest = async (path: string) =>
  Buffer.from(await crypto.subtle.digest("SHA-256", await Deno.readFile(path)))
    .toString("hex");

// What the columns hold, as SQLite writes it.
const instant = fc.date({
  min: new Date("2020-01-01T00:00:00.000Z"),
  max: new Date("2037-12-31T23:59:59.999Z"),
  noInvalidDate: true,
}).map((date) => date.toISOString());
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of);
const text = (maxLength: number) => fc.string({ unit: "grapheme", maxLength: Math.floor(maxLength / 8) });
const bytes = (maxLength: number, minLength = 0) =>
  fc.uint8Array({ minLength, maxLength }).map((array) => Buffer.from(array));
const keyId = fc.constantFrom("0123456789abcdef", "fedcba9876543210");
const kind = fc.constantFrom("creds", "session", "pre-key", "sender-key", "app-state-sync-key");
const instances = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,20}$/), {
  minLength: 1,
  maxLength: 5,
});

/** Rows for every table, those of some instances. */
const everything = instances.chain((names) => {
  const one = fc.constantFrom(...names);
  const each = <T extends object>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
    fc.tuple(...names.map((instance_id) => record<T>(shape).map((row) => ({ instance_id, ...row }))));
  const many = <T>(of: fc.Arbitrary<T>, key: (row: T) => string) =>
    fc.uniqueArray(of, { maxLength: 12, selector: key });
  return fc.tuple(
    each({
      id: fc.integer({ min: 1, max: 1_000_000 }),
      phone_number: maybe(fc.constantFrom("+5491155555555", "+1234567")),
      status: fc.constantFrom("init", "connected", "disconnected", "foreign"),
      qr_status: fc.constantFrom("none", "generated", "expired"),
      qr_string: maybe(text(60_000)),
      qr_generated_at: maybe(instant),
      qr_expires_at: maybe(instant),
      connected_at: maybe(instant),
      disconnected_at: maybe(instant),
      last_error_code: maybe(fc.constantFrom("LOGOUT", "UNKNOWN")),
      last_error_message: maybe(text(1_000)),
      created_at: instant,
      updated_at: instant,
    }),
    each({ standing: fc.constantFrom("working", "suspended"), created_at: instant, updated_at: instant }),
    many(
      record({
        instance_id: one,
        kind,
        name: bytes(255),
        sealed: maybe(bytes(3_000, 1)),
        key_id: maybe(keyId),
      }),
      (row) => `${row.instance_id}/${row.kind}/${row.name.toString("hex")}`,
    ),
    many(
      record({
        id: fc.uuid(),
        instance_id: one,
        sealed: bytes(3_000, 1),
        key_id: maybe(keyId),
        held: fc.constant(null),
        attempts: fc.nat(2_000),
        retired_at: instant,
        next_attempt_at: maybe(instant),
      }),
      (row) => row.id,
    ),
    many(
      record({
        login_id: fc.uuid(),
        instance_id: one,
        kind,
        name: bytes(255),
        sealed: bytes(3_000, 1),
        key_id: maybe(keyId),
      }),
      (row) => row.login_id,
    ),
    each({ change_id: maybe(fc.uuid()), contested_at: maybe(instant) }),
  ).map((tables) => {
    // Numbers are given, and no two the same.
    const numbers = new Set<number>();
    const sessions = tables[0].map((row) => {
      let { id } = row;
      while (numbers.has(id)) id++;
      numbers.add(id);
      return { ...row, id };
    });
    return [sessions, ...tables.slice(1)] as Row[][];
  });
});

async function fill(url: string, tables: readonly (readonly Row[])[]): Promise<void> {
  await migrate(url);
  const database = await connect(url);
  try {
    for (const [index, { table }] of MOVED_TABLES.entries()) {
      await database.db.deleteFrom(table).execute();
      for (const row of tables[index] ?? []) {
        const written = translate(MOVED_TABLES[index]!, row, database.dialect);
        await database.db.insertInto(table).values(written as any).execute();
      }
    }
  } finally {
    await database.close();
  }
}

const SOME = fc.sample(everything, { numRuns: 1, seed: 2 })[0]!;

dialectTest(MYSQL, "move() takes every row there and back again, whatever it holds", async () => {
  await fc.assert(
    fc.asyncProperty(everything, async (tables) => {
      await using first = await SQLITE.database();
      await using server = await MYSQL.database();
      await using last = await SQLITE.database();
      await fill(first.url, tables);
      const before = await contents(first.url);
      await moving(first.url, server.url);
      assert.deepEqual(await contents(server.url), before);
      await moving(server.url, last.url);
      assert.deepEqual(await contents(last.url), before);
      // As this dialect writes it, to the letter.
      for (const { table } of MOVED_TABLES) {
        const rows = (url: string) => query(url, `select * from ${table} order by 1, 2, 3`);
        assert.deepEqual(await rows(last.url), await rows(first.url));
      }
    }),
    { numRuns: 8 },
  );
});

for (const dialect of DIALECTS) {
  dialectTest(dialect, "move() knows every table and every column that there is", async (url) => {
    await migrate(url);
    const rows = await query(
      url,
      url.startsWith("sqlite:")
        ? "select m.name as t, c.name as c from sqlite_schema m, pragma_table_info(m.name) c where m.type = 'table' and m.name like 'll%'"
        : "select table_name as t, column_name as c from information_schema.columns where table_schema = database()",
    );
    const left: string[] = [REPLICAS, LEASES, COMMANDS, CREDENTIAL_KEYS, REPLICA_KEYS, MIGRATIONS];
    const found = rows.map(({ t, c }) => `${t}.${c}`).filter((name) => !left.includes(name.split(".")[0]!));
    const known = MOVED_TABLES.flatMap(({ table, columns }) => columns.map((column) => `${table}.${column}`));
    assert.deepEqual(known.sort(), found.sort());
  });

  dialectTest(
    dialect,
    "move() leaves a source that nothing starts on, until the move is undone",
    async (url) => {
      await using target = await SQLITE.database();
      await fill(url, SOME);
      const before = await contents(url);
      await moving(url, target.url);
      assert.deepEqual(await contents(url), before);
      await refused(
        open(url),
        /^This database was moved to .*test\.db, or a move there has begun, and a service here/,
      );
      await refused(migrate(url, { dryRun: true }), /^This database was moved to/);
      // A second time, there or elsewhere, would make a second one that can be started.
      await refused(moving(url, target.url), /^This database was moved to/);
      await using other = await SQLITE.database();
      await refused(moving(url, other.url), /^This database was moved to/);
      await refused(moving(other.url, url), /There is no database file/);
      await refused(moving(target.url, url), /was moved to|already holds/);
      assert.match(await undoMove(url), /test\.db$/);
      await (await open(url)).close();
      await refused(undoMove(url), /has not been moved away/);
      await refused(
        moving(url, target.url),
        /^The database of --to already holds \d+ sessions?; name an empty one/,
      );
    },
  );

  dialectTest(
    dialect,
    "a move into it that was interrupted keeps it from a start, and begins anew",
    async (url) => {
      await using source = await SQLITE.database();
      await fill(source.url, SOME);
      await (await open(source.url)).close(); // purges erased keys
      const path = source.url.slice("sqlite:".length);
      const [before, was] = [await contents(source.url), await digest(path)];
      for (const table of MOVED_TABLES) {
        await assert.rejects(
          moving(source.url, url, {
            onTable: (name) => {
              if (name === table.table) throw new Error("interrupted");
            },
          }),
          /interrupted/,
        );
        assert.equal(await digest(path), was, "the file is as it was");
        await refused(
          open(url),
          /^A move into this database has not come to its end: run the same `deno task move`/,
        );
      }
      await (await open(source.url)).close();
      // From somewhere else it is another move.
      await using stranger = await SQLITE.database();
      await fill(stranger.url, []);
      await refused(moving(stranger.url, url), /Another database is half moved into the one of --to/);
      await moving(source.url, url);
      assert.deepEqual(await contents(url), before);
      await (await open(url)).close();
    },
  );
}

dialectTest(MYSQL, "move() comes to its end where nothing but the last step was left", async (url) => {
  await using source = await SQLITE.database();
  await fill(source.url, SOME);
  const before = await contents(source.url);
  await migrate(url);
  const server = (await testServer())!;
  const lock = await server.session(new URL(url).pathname.slice(1));
  let looks = 0;
  await assert.rejects(
    moving(source.url, url, {
      countAlive: async () => {
        // The second time everything has been copied.
        if (++looks === 2) await lock.run(`lock tables ${MIGRATIONS} read`);
        return 0;
      },
    }),
    TargetUnavailableError,
  );
  // Nothing starts anywhere.
  await refused(open(source.url), /^This database was moved to/);
  await lock.run("unlock tables");
  await refused(open(url), /^A move into this database has not come to its end/);
  await using elsewhere = await SQLITE.database();
  await refused(moving(source.url, elsewhere.url), /^This database was moved to/);
  await moving(source.url, url);
  assert.deepEqual(await contents(url), before);
  await (await open(url)).close();
  await lock[Symbol.asyncDispose]();
});

dialectTest(
  MYSQL,
  "move() keeps a server's database from a start while it copies, and gives it back when it fails",
  async (url) => {
    await using target = await SQLITE.database();
    await fill(url, SOME);
    await assert.rejects(
      moving(url, target.url, {
        onTable: () => {
          throw new Error("interrupted");
        },
      }),
      /interrupted/,
    );
    await (await open(url)).close();
    let starts = 0;
    await moving(url, target.url, {
      onTable: () => void refused(open(url), /^This database was moved to/).then(() => starts++),
    });
    await refused(open(url), /^This database was moved to/);
  },
);

dialectTest(MYSQL, "move() is refused while a service runs on either, and changes nothing", async (url) => {
  await using source = await SQLITE.database();
  await fill(source.url, SOME);
  {
    using _claim = claimDatabase(source.url);
    await refused(moving(source.url, url), /is served by another process/);
  }
  await migrate(url);
  const alive = { countAlive: () => Promise.resolve(2) };
  await refused(
    moving(source.url, url, alive),
    /^A service runs on the database of --to \(2 replicas\); stop it first/,
  );
  await refused(
    moving(url, source.url, alive),
    /^A service runs on the database of DATABASE_URL \(2 replicas\)/,
  );
  assert.deepEqual((await ledger(url)).filter((name) => name.includes("mov")), []);
  // One that came while it was copied.
  let looks = 0;
  const late = { countAlive: () => Promise.resolve(++looks === 2 ? 1 : 0) };
  await refused(moving(source.url, url, late), /^A service runs on the database of --to \(1 replica\)/);
  await (await open(source.url)).close();
  await refused(open(url), /^A move into this database has not come to its end/);
});

dialectTest(MYSQL, "move() names what stands in its way, and no password", async (url) => {
  await using source = await SQLITE.database();
  await refused(moving(source.url, url), /^There is no database file/);
  await fill(source.url, SOME);
  await refused(moving(source.url, source.url), /name the same database/);
  await refused(moving(url, url), /name the same database/);
  await refused(moving("sqlite::memory:", url), /in memory cannot be moved/);
  await refused(moving(url, source.url), /names a database without sessions/);
  const wrong = new URL(url);
  [wrong.username, wrong.password] = ["nobody", "hunter2"];
  await refused(moving(source.url, wrong.href), /refuses the user or the password in --to/);
  wrong.port = "1";
  await assert.rejects(moving(source.url, wrong.href), TargetUnavailableError);

  await query(source.url, "delete from ll_whatsapp_migrations where name like '0005%'");
  await refused(moving(source.url, url), /is of an older version: run `deno task migrate` on it first/);
  await migrate(source.url);
  await query(source.url, "update ll_whatsapp_qr_sessions set connected_at = 'yesterday'");
  await refused(
    moving(source.url, url),
    /Table ll_whatsapp_qr_sessions, instance .*: connected_at is no instant/,
  );
  await query(
    source.url,
    `update ll_whatsapp_qr_sessions set connected_at = null, phone_number = '${"5".repeat(33)}'`,
  );
  await refused(
    moving(source.url, url),
    /^Table ll_whatsapp_qr_sessions, instance [^:]+: the row is not taken\. .*error 1406/,
  );
});

dialectTest(
  MYSQL,
  "move() takes more rows than a page has, and one that a packet hardly takes",
  async (url) => {
    await using source = await SQLITE.database();
    {
      await using store = await open(source.url);
      const many = Array.from({ length: 1_200 }, (_, n) => ({ type: "session", id: `${n}`, value: "x" }));
      await store.saveKeys("one", [...many, { type: "app-state", id: "big", value: "y".repeat(3_000_000) }]);
    }
    const before = await contents(source.url);
    const { rows } = await moving(source.url, url);
    assert.equal(rows.get("ll_whatsapp_credentials"), 1_201);
    assert.deepEqual(await contents(url), before);
  },
);
