/**
 * Changing the key, run over both dialects.
 * @module
 */
import assert from "node:assert/strict";
import { CredentialsUnreadableError } from "../../domain/ports.ts";
import { CredentialKeys, rotateCredentials } from "../../db/mod.ts";
import { dialectTest, key, open, query, type TestDialect } from "./helpers.ts";

const OLD = new CredentialKeys([key(1)]);
const BOTH = new CredentialKeys([key(2), key(1)]);
const NEW = new CredentialKeys([key(2)]);
const IDS = Array.from({ length: 25 }, (_, n) => `${n}`);

async function fill(url: string): Promise<void> {
  await using store = await open(url, OLD);
  for (const instance of ["a", "b", "c"]) {
    await store.saveKeys(instance, [
      ...IDS.map((id) => ({ type: "session", id, value: `${instance} ${id}` })),
      ...IDS.map((id) => ({ type: "pre-key", id, value: id === "3" ? null : id })),
    ], `login of ${instance}`);
  }
}

/** Declares the suite over one dialect. */
export function rotateSuite(dialect: TestDialect): void {
  const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);

  test("rotateCredentials() reseals everything in batches, and nothing when it is repeated", async (url) => {
    await fill(url);
    const expected = { unreadable: 0, unreadableInstances: [], finished: true };
    assert.deepEqual(await rotateCredentials({ url, keys: BOTH, batchRows: 7 }), {
      ...expected,
      resealed: 3 * 50,
      purged: 3,
    });
    assert.deepEqual(await rotateCredentials({ url, keys: BOTH, batchRows: 7 }), {
      ...expected,
      resealed: 0,
      purged: 0,
    });
    await using store = await open(url, NEW);
    for (const instance of ["a", "b", "c"]) {
      assert.equal(await store.loadCredentials(instance), `login of ${instance}`);
      assert.deepEqual(
        await store.loadKeys(instance, "session", IDS),
        new Map(IDS.map((id) => [id, `${instance} ${id}`])),
      );
    }
  });

  test("rotateCredentials() goes on where it was when it was interrupted", async (url) => {
    await fill(url);
    const controller = new AbortController();
    controller.abort();
    const stopped = await rotateCredentials({ url, keys: BOTH, signal: controller.signal });
    assert.deepEqual([stopped.finished, stopped.resealed], [false, 0]);
    {
      // What a service that already has the new key writes meanwhile.
      await using store = await open(url, BOTH);
      await store.saveKeys("b", [{ type: "session", id: "1", value: "newer" }], "newer login");
    }
    assert.equal((await rotateCredentials({ url, keys: BOTH, batchRows: 50 })).resealed, 3 * 50 - 2);
    await using store = await open(url, NEW);
    assert.equal(await store.loadCredentials("b"), "newer login");
    assert.deepEqual(await store.loadKeys("b", "session", ["1"]), new Map([["1", "newer"]]));
  });

  test("rotateCredentials() leaves and counts what none of the keys opens", async (url) => {
    await fill(url);
    await query(
      url,
      "update ll_whatsapp_credentials set kind = 'moved' where instance_id = 'b' and kind = 'session'",
    );
    const report = await rotateCredentials({ url, keys: BOTH, batchRows: 7 });
    assert.deepEqual(report, {
      resealed: 3 * 50 - 25,
      unreadable: 25,
      unreadableInstances: ["b"],
      purged: 3,
      finished: true,
    });
    await using store = await open(url, BOTH);
    await assert.rejects(store.loadKeys("b", "moved", ["1"]), CredentialsUnreadableError);
  });

  test("rotateCredentials() runs beside a store that writes, and loses nothing", async (url) => {
    await fill(url);
    await using store = await open(url, BOTH);
    const writes = (async () => {
      for (let n = 0; n < 20; n++) {
        await store.saveKeys("b", [{ type: "session", id: "1", value: `write ${n}` }]);
      }
    })();
    const report = await rotateCredentials({ url, keys: BOTH, batchRows: 5 });
    await writes;
    assert.equal(report.unreadable, 0);
    assert.deepEqual(
      await store.loadKeys("b", "session", ["1", "2"]),
      new Map([["1", "write 19"], ["2", "b 2"]]),
    );
  });
}
