import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { sql } from "kysely";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { DatabaseUnusableError, migrate } from "../../db/mod.ts";
import { SqlStore } from "../../db/store.ts";
import { adopt, KEYS, open, SQLITE } from "../../lab/databases/helpers.ts";

const pathOf = (url: string) => url.slice("sqlite:".length);

Deno.test("openStore() makes a file that only its owner reads, and its folder, when there is none", async () => {
  await using database = await SQLITE.database();
  const path = pathOf(database.url).replace("test.db", "new/folder/test.db");
  await using store = await open(`sqlite:${path}`);
  await store.findOrCreate("s", 1);
  for (const file of [path, `${path}-wal`]) assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
});

Deno.test("openStore() works when the database is in memory", async () => {
  await using store = await open("sqlite::memory:");
  await store.findOrCreate("s", 1);
  assert.equal((await store.find("s"))?.link, "none");
});

Deno.test("save() is unavailable when the disk is full, loses nothing, and works again afterwards", async () => {
  await using database = await SQLITE.database();
  const connected = await connect(database.url);
  await migrateDatabase(connected);
  await using store = new SqlStore(connected, KEYS);
  await store.findOrCreate("s", 1);
  await store.save(createSession("s", 1), adopt("login"));
  await sql`pragma max_page_count = 1`.execute(connected.db); // as many as there are
  const large = "x".repeat(200_000);
  const full = { ...createSession("s", 1), phoneNumber: "+1234567" };
  await assert.rejects(store.saveKeys("s", [{ type: "a", id: "1", value: large }]), StoreUnavailableError);
  await assert.rejects(
    store.save(full, adopt(large)),
    (error) => error instanceof StoreUnavailableError && String(error.cause).includes("full"),
  );
  assert.deepEqual((await store.find("s"))?.session, createSession("s", 1));
  assert.equal(await store.loadCredentials("s"), "login");
  await sql`pragma max_page_count = 100000`.execute(connected.db);
  await store.save(full, adopt(large));
  assert.equal(await store.loadCredentials("s"), large);
});

Deno.test("save() is unavailable when another process holds the lock, and works when it lets go", async () => {
  await using database = await SQLITE.database();
  await using store = await open(database.url);
  await store.findOrCreate("s", 2);
  const other = new DatabaseSync(pathOf(database.url));
  try {
    other.exec("begin immediate");
    assert.equal((await store.find("s"))?.link, "none"); // readers do not wait
    await assert.rejects(store.save(createSession("s", 1), { kind: "keep" }), StoreUnavailableError);
    const saved = store.save(createSession("s", 2), adopt("login"));
    setTimeout(() => other.exec("commit"), 0); // after the first attempt, which does not let a timer run
    await saved;
    assert.equal((await store.find("s"))?.link, "working");
  } finally {
    other.close();
  }
});

Deno.test("openStore() names the file when it is no database", async () => {
  await using database = await SQLITE.database();
  await Deno.writeTextFile(pathOf(database.url), "not a database ".repeat(1_000));
  for (const start of [() => open(database.url), () => migrate(database.url, { dryRun: true })]) {
    await assert.rejects(start, (error) => {
      assert.ok(error instanceof DatabaseUnusableError);
      assert.equal(
        error.message,
        `The database file ${pathOf(database.url)} is damaged or is not a SQLite database.`,
      );
      return true;
    });
  }
});

Deno.test("the store says that the file is damaged when pages of it are overwritten", async () => {
  await using database = await SQLITE.database();
  {
    await using store = await open(database.url);
    for (let n = 0; n < 50; n++) {
      await store.saveKeys("s", [{ type: "a", id: `${n}`, value: "x".repeat(2_000) }]);
    }
  }
  {
    using file = await Deno.open(pathOf(database.url), { write: true });
    await file.seek(4_096, Deno.SeekMode.Start); // the first page, with the schema, stays
    await file.write(new Uint8Array(20 * 4_096).fill(0xa5));
  }
  await assert.rejects(open(database.url), DatabaseUnusableError);
});

Deno.test("openStore() refuses with a sentence when the path is a folder", async () => {
  await using database = await SQLITE.database();
  await assert.rejects(open(`sqlite:${pathOf(database.url).replace("/test.db", "")}`), DatabaseUnusableError);
});
