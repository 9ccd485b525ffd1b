/**
 * Changing the key, run over both dialects.
 * @module
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import type { CredentialsChange } from "../../domain/credentials.ts";
import { CredentialsUnreadableError, StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { CredentialKeys, rotateCredentials } from "../../db/mod.ts";
import {
  adopt,
  dialectTest,
  key,
  open,
  query,
  saveNew,
  type TestDialect,
} from "../../lab/databases/helpers.ts";

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

const session = (instanceId: string, n: number) => ({ ...createSession(instanceId, n), updatedAt: n });

/** For `a` and `b` each: a login that is held, one that waits, and one at work. @returns ids of those that wait */
async function fillRetired(url: string): Promise<Map<string, string>> {
  await using store = await open(url, OLD);
  const ids = new Map<string, string>();
  for (const instance of ["a", "b"]) {
    for (const [n, name] of ["1", "2", "3"].entries()) {
      const id = crypto.randomUUID();
      const value = `${instance} ${name}`;
      const keys = [{ type: "session", id: "1", value }, { type: "session", id: "2", value: "second" }];
      await saveNew(store, session(instance, n), adopt(value, keys, id));
      ids.set(instance, id);
    }
  }
  return ids;
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

  test("rotateCredentials() reseals logins that are held or wait, with all their keys", async (url) => {
    const ids = await fillRetired(url);
    const expected = { unreadable: 0, unreadableInstances: [], purged: 0, finished: true };
    // Of each instance three logins and the keys of two.
    assert.deepEqual(await rotateCredentials({ url, keys: BOTH, batchRows: 2 }), {
      ...expected,
      resealed: 2 * (3 + 2 * 2),
    });
    assert.equal((await rotateCredentials({ url, keys: BOTH })).resealed, 0);
    await using store = await open(url, NEW);
    for (const instance of ["a", "b"]) {
      assert.equal(await store.loadRetiredLogin(ids.get(instance)!), `${instance} 2`);
      await store.save(session(instance, 10), { kind: "revert", retiredId: null });
      assert.equal(await store.loadCredentials(instance), `${instance} 1`);
      assert.deepEqual(
        await store.loadKeys(instance, "session", ["1", "2"]),
        new Map([["1", `${instance} 1`], ["2", "second"]]),
      );
    }
  });

  test("rotateCredentials() goes on with logins that are held or wait when it was interrupted", async (url) => {
    await fillRetired(url);
    // One look at the signal for each batch of one row.
    let looks = 0;
    const signal = {
      get aborted() {
        return ++looks > 9;
      },
    } as AbortSignal; // deno-fmt-ignore
    const stopped = await rotateCredentials({ url, keys: BOTH, batchRows: 1, signal });
    assert.equal(stopped.finished, false);
    assert.ok(stopped.resealed > 6 && stopped.resealed < 14); // in the middle of those that are retired
    const rest = await rotateCredentials({ url, keys: BOTH, batchRows: 1 });
    assert.deepEqual([rest.finished, stopped.resealed + rest.resealed], [true, 14]);
  });

  test("rotateCredentials() leaves and counts a retired login that none of the keys opens", async (url) => {
    const ids = await fillRetired(url);
    await query(url, "update ll_whatsapp_retired_logins set instance_id = 'c' where instance_id = 'b'");
    const report = await rotateCredentials({ url, keys: BOTH, batchRows: 2 });
    assert.deepEqual(report, {
      resealed: 14 - 2,
      unreadable: 2,
      unreadableInstances: ["c"],
      purged: 0,
      finished: true,
    });
    await using store = await open(url, BOTH);
    await assert.rejects(store.loadRetiredLogin(ids.get("b")!), CredentialsUnreadableError);
  });

  test("rotateCredentials() loses no login that moves from table to table meanwhile", async (url) => {
    await fillRetired(url);
    await using store = await open(url, BOTH);
    let n = 100;
    let over = false;
    const change = async (what: CredentialsChange) => {
      const written = session("a", n++);
      for (;;) {
        // An embedded database answers without the event loop ever turning.
        await new Promise((resolve) => setTimeout(resolve, 0));
        try {
          return await store.save(written, what);
        } catch (error) {
          assert.ok(error instanceof StoreUnavailableError, String(error)); // the rotation has it locked
        }
      }
    };
    const moves = (async () => {
      while (!over) {
        await change({ kind: "revert", retiredId: null });
        await change(adopt(`a ${n}`));
      }
    })();
    const report = await rotateCredentials({ url, keys: BOTH, batchRows: 1 });
    over = true;
    await moves;
    assert.equal(report.unreadable, 0);
    // A login that never rests may be missed for ever. What counts is that nobody throws the old key away.
    if (!report.finished) assert.ok((await rotateCredentials({ url, keys: BOTH })).finished);
    await using later = await open(url, NEW);
    await later.save(session("a", n), { kind: "revert", retiredId: null });
    assert.equal(await later.loadCredentials("a"), "a 1");
    assert.deepEqual(
      await later.loadKeys("a", "session", ["1", "2"]),
      new Map([["1", "a 1"], ["2", "second"]]),
    );
  });

  if (dialect.name === "sqlite") {
    test("rotateCredentials() finds a login that moves into a table which it has been over", async (url) => {
      await fillRetired(url);
      using other = new DatabaseSync(url.slice("sqlite:".length));
      let looks = 0;
      const signal = {
        get aborted() {
          // The signal is looked at before each batch: before that of the last table.
          if (++looks === 3) {
            other.exec("delete from ll_whatsapp_credentials where instance_id = 'a'");
            other.exec(
              "insert into ll_whatsapp_credentials select instance_id, kind, name, sealed, key_id " +
                "from ll_whatsapp_held_keys where instance_id = 'a'",
            );
            other.exec("delete from ll_whatsapp_held_keys where instance_id = 'a'");
          }
          return false;
        },
      } as AbortSignal;
      const report = await rotateCredentials({ url, keys: BOTH, signal });
      assert.deepEqual([report.resealed, report.unreadable, report.finished], [14, 0, true]);
      await using store = await open(url, NEW);
      assert.equal((await store.loadKeys("a", "session", ["1"])).get("1"), "a 1");
    });

    test("rotateCredentials() comes to an end, and says so, while something seals with an older key", async (url) => {
      await fill(url);
      await using store = await open(url, OLD);
      const writes: Promise<void>[] = [];
      const signal = {
        get aborted() {
          writes.push(store.saveKeys("b", [{ type: "session", id: "0", value: `write ${writes.length}` }]));
          return false;
        },
      } as AbortSignal;
      const report = await rotateCredentials({ url, keys: BOTH, signal });
      await Promise.all(writes);
      assert.deepEqual([report.unreadable, report.finished], [0, false]);
    });
  }

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
