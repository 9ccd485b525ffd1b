import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { DatabaseUnusableError, migrate } from "../../db/mod.ts";
import { backUp, restore } from "../../db/snapshot.ts";
import { claimDatabase } from "../../db/sole_process.ts";
import { TestProcess } from "../../lab/process.ts";
import { dialectTest, key, open, query, SQLITE } from "../../lab/databases/helpers.ts";

const pathOf = (url: string) => url.slice("sqlite:".length);

/** Every file in the folder of this one. */
function neighbours(path: string): string[] {
  return [...Deno.readDirSync(path.slice(0, path.lastIndexOf("/")))].map(({ name }) => name).sort();
}

function refused(work: Promise<unknown>, sentence: RegExp): Promise<void> {
  return assert.rejects(
    work,
    (error) => error instanceof DatabaseUnusableError && sentence.test(error.message),
  );
}

/** Writes the same number into two rows, a transaction each time, for ever. */
const WRITER = `import { DatabaseSync } from "node:sqlite";
const database = new DatabaseSync(Deno.args[0], { timeout: 600_000 });
database.exec("pragma journal_mode = wal");
for (let n = 1;; n++) {
  const filler = "x".repeat(n % 5_000);
  database.exec("begin immediate");
  for (const id of ["one", "two"]) {
    database.prepare("update ll_whatsapp_qr_sessions set id = id, last_error_message = ?, phone_number = ? where instance_id = ?")
      .run(filler, String(n), id);
  }
  database.exec("commit");
  if (n === 1) console.log("writing");
}`;

async function addTwo(url: string): Promise<void> {
  for (const id of ["one", "two"]) {
    await query(
      url,
      `insert into ll_whatsapp_qr_sessions (instance_id, status, qr_status, created_at, updated_at, phone_number)
        values ('${id}', 'init', 'none', '2026-01-04T12:34:56.000Z', '2026-01-04T12:34:56.000Z', '0')`,
    );
  }
}

/** Another process, which writes by now. */
async function startWriter(path: string): Promise<TestProcess> {
  await Deno.writeTextFile(`${path}.ts`, WRITER);
  const flags = ["--quiet", "--no-config", "--allow-read", "--allow-write"];
  const writer = new TestProcess(Deno.execPath(), ["run", ...flags, `${path}.ts`, path], {});
  await writer.line((line) => line === "writing");
  return writer;
}

/** The number in this file, which is the same in both rows. */
function numberIn(path: string): string {
  using database = new DatabaseSync(path, { readOnly: true });
  const [one, two] = database.prepare("select phone_number as n from ll_whatsapp_qr_sessions").all();
  assert.equal(one?.n, two?.n);
  return String(one?.n);
}

dialectTest(SQLITE, "backUp() copies one moment of a database that another process writes", async (url) => {
  await migrate(url);
  await addTwo(url);
  const path = pathOf(url);
  await using writer = await startWriter(path);
  const seen = new Set<string>();
  for (let copy = 0; seen.size < 5; copy++) {
    await backUp(url, `${path}.copy${copy}`);
    seen.add(numberIn(`${path}.copy${copy}`));
    assert.ok(!writer.ended, writer.stderr);
  }
});

dialectTest(
  SQLITE,
  "a database whose process was killed is backed up, and set aside, with all that its log holds",
  async (url) => {
    await migrate(url);
    const path = pathOf(url);
    await addTwo(url);
    await using writer = await startWriter(path);
    writer.kill("SIGKILL");
    await writer.exit();
    assert.ok((await Deno.stat(`${path}-wal`)).size > 0);
    await backUp(url, `${path}.copy`);
    const { aside } = await restore(url, `${path}.copy`, { aside: true });
    for (const file of [path, aside!]) assert.ok(Number(numberIn(file)) > 0, file);
    assert.equal(numberIn(path), numberIn(aside!));
    await assert.rejects(Deno.stat(`${path}-wal`), Deno.errors.NotFound);
    await assert.rejects(Deno.stat(`${aside}-wal`), Deno.errors.NotFound);
  },
);

dialectTest(
  SQLITE,
  "backUp() keeps what the log holds, in one file that only its owner reads",
  async (url) => {
    await using store = await open(url);
    await store.saveKeys("one", [{ type: "session", id: "1", value: "kept" }]);
    const copy = `${pathOf(url)}.copy`;
    await backUp(url, copy);
    assert.equal((await Deno.stat(copy)).mode! & 0o777, 0o600);
    assert.deepEqual(neighbours(copy).filter((name) => name.includes("copy")), ["test.db.copy"]);
    await using copied = await open(`sqlite:${copy}`);
    assert.deepEqual([...await copied.loadKeys("one", "session", ["1"])], [["1", "kept"]]);
  },
);

dialectTest(
  SQLITE,
  "backUp() leaves a file alone that is there, and nothing behind when it fails",
  async (url) => {
    await migrate(url);
    const path = pathOf(url);
    await Deno.writeTextFile(`${path}.mine`, "mine");
    const before = neighbours(path);
    await refused(backUp(url, `${path}.mine`), /is there already, and is left as it is/);
    assert.equal(await Deno.readTextFile(`${path}.mine`), "mine");
    await refused(backUp(url, `${path}.none/copy`), /No file can be made in the folder/);
    await refused(backUp(`${url}.mine`, `${path}.copy`), /is damaged or is not a SQLite database/);
    await refused(backUp(`${url}.absent`, `${path}.copy`), /cannot be read/);
    await refused(backUp("sqlite::memory:", `${path}.copy`), /names no SQLite file/);
    await refused(backUp("mysql://root:hunter2@127.0.0.1:1/x", `${path}.copy`), /backed up by its own tool/);
    new DatabaseSync(`${path}.other`).close();
    await refused(backUp(`${url}.other`, `${path}.copy`), /holds no database of this service/);
    await Deno.remove(`${path}.other`).catch(() => {});
    assert.deepEqual(neighbours(path).filter((name) => !/-(wal|shm)$/.test(name)), before);
  },
);

dialectTest(SQLITE, "backUp() refuses a database whose pages are damaged", async (url) => {
  {
    await using store = await open(url);
    const values = Array.from(
      { length: 300 },
      (_, n) => ({ type: "session", id: `${n}`, value: `${key(n % 256)}` }),
    );
    await store.saveKeys("one", values);
  }
  const path = pathOf(url);
  {
    using database = new DatabaseSync(path);
    database.exec("pragma journal_mode = delete");
  }
  // Beyond the first pages, where the schema is.
  using file = await Deno.open(path, { read: true, write: true });
  const { size } = await file.stat();
  await file.seek(size - 3 * 4_096, Deno.SeekMode.Start);
  await file.write(new Uint8Array(2 * 4_096).fill(0xff));
  await refused(backUp(url, `${path}.copy`), /damaged/);
  await assert.rejects(Deno.stat(`${path}.copy`), Deno.errors.NotFound);
});

dialectTest(
  SQLITE,
  "restore() refuses a place that is served or taken, and with `aside` keeps what was there",
  async (url) => {
    await migrate(url);
    const path = pathOf(url);
    await backUp(url, `${path}.copy`);
    await refused(restore(url, `${path}.copy`), /with --aside it is moved aside first/);
    {
      using _claim = claimDatabase(url);
      await refused(restore(url, `${path}.copy`, { aside: true }), /served by another process/);
    }
    {
      await using store = await open(url);
      await store.saveKeys("one", [{ type: "session", id: "1", value: "kept" }]);
    }
    await refused(restore(url, `${path}.nowhere`, { aside: true }), /There is no file/);
    await Deno.writeTextFile(`${path}.torn`, "SQLite format 3\0 and no more");
    await refused(restore(url, `${path}.torn`, { aside: true }), /damaged/);
    const { aside } = await restore(url, `${path}.copy`, { aside: true });
    await using restored = await open(url);
    assert.equal((await restored.loadKeys("one", "session", ["1"])).size, 0);
    await using kept = await open(`sqlite:${aside}`);
    assert.equal((await kept.loadKeys("one", "session", ["1"])).size, 1);
  },
);

dialectTest(SQLITE, "restore() puts nothing beside the log of another database", async (url) => {
  await migrate(url);
  const path = pathOf(url);
  await backUp(url, `${path}.copy`);
  const place = `${path}.new`;
  await Deno.writeTextFile(`${place}-wal`, "of a file that has been moved away");
  await refused(restore(`sqlite:${place}`, `${path}.copy`), /new-wal/);
  await restore(`sqlite:${place}`, `${path}.copy`, { aside: true });
  await assert.rejects(Deno.stat(`${place}-wal`), Deno.errors.NotFound);
  assert.equal((await query(`sqlite:${place}`, "select * from ll_whatsapp_links")).length, 0);
});
