import assert from "node:assert/strict";
import {
  DatabaseUnusableError,
  generateCredentialKey,
  keyFilePath,
  loadOrCreateKeyFile,
} from "../../db/mod.ts";

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "key-file-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("loadOrCreateKeyFile() makes a file that only its owner reads, and its folder, when there is none", () =>
  inFolder(async (folder) => {
    const path = `${folder}/data/session-manager.db`;
    const keys = await loadOrCreateKeyFile(path);
    const { mode, size } = await Deno.stat(keyFilePath(path));
    assert.equal(mode! & 0o777, 0o600);
    assert.equal(size, 45);
    assert.equal((await loadOrCreateKeyFile(path)).newestId, keys.newestId);
    assert.deepEqual([...Deno.readDirSync(`${folder}/data`)].map(({ name }) => name), [
      "session-manager.db.key",
    ]);
  }));

Deno.test("loadOrCreateKeyFile() gives all starters one key when they start at once", () =>
  inFolder(async (folder) => {
    const path = `${folder}/test.db`;
    const keys = await Promise.all(Array.from({ length: 20 }, () => loadOrCreateKeyFile(path)));
    assert.equal(new Set(keys.map(({ newestId }) => newestId)).size, 1);
    assert.equal([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("loadOrCreateKeyFile() refuses and leaves the file when it does not hold one key", () =>
  inFolder(async (folder) => {
    const path = `${folder}/test.db`;
    const key = generateCredentialKey();
    for (
      const content of ["", key, `${key}\n\n`, `${key},${key}\n`, `${"!".repeat(44)}\n`, key.slice(1) + "\n"]
    ) {
      await Deno.writeTextFile(keyFilePath(path), content);
      await assert.rejects(loadOrCreateKeyFile(path), (error) => {
        assert.ok(error instanceof DatabaseUnusableError);
        assert.ok(content === "" || !error.message.includes(content.trim()));
        return true;
      });
      assert.equal(await Deno.readTextFile(keyFilePath(path)), content);
    }
  }));
