import assert from "node:assert/strict";
import type { KeyHolder, KeyRing } from "../../domain/key_ring.ts";
import { KeyWatch } from "../../cluster/key_watch.ts";
import type { LogFields } from "../../runtime/log.ts";

const NOBODY = () => false;

/** A replica `me` with the key `new`, and whatever others there are at the moment. */
class Stage {
  others: KeyHolder[] = [];
  readonly markOrphaned: string[][] = [];
  readonly logged: unknown[] = [];
  readonly watch: KeyWatch;

  constructor() {
    const note = ({ event }: LogFields) => void this.logged.push(event);
    this.watch = new KeyWatch({
      leases: {
        keyIds: ["new"],
        followKeys: () => Promise.resolve(this.#ring),
        markOrphaned: (names) => Promise.resolve(void this.markOrphaned.push([...names])),
      },
      log: { debug: note, info: note, warn: note, error: note },
    });
  }

  get #ring(): KeyRing {
    const me = { replica: "me", keys: new Set(["new"]), sealsWith: "new" };
    return { sealing: "new", inUse: new Set(["new", "old"]), holders: [me, ...this.others] };
  }
}

const ABLE: KeyHolder = { replica: "able", keys: new Set(["new", "old"]), sealsWith: "new" };

Deno.test("KeyWatch says who can open what did not open, as it is at that moment", async () => {
  const stage = new Stage();
  assert.equal(await stage.watch.note("me", "sender_1", "old"), false);
  stage.others = [ABLE];
  assert.equal(await stage.watch.note("me", "sender_1", "old"), true);
  assert.equal(await stage.watch.note("me", "sender_2", "older"), false);
});

Deno.test("KeyWatch puts up what nobody could open once somebody can, once, and when it is free", async () => {
  const stage = new Stage();
  await stage.watch.note("me", "sender_1", "old");
  await stage.watch.note("me", "sender_2", "old");
  await stage.watch.note("me", "sender_3", "older");
  await stage.watch.look("me", NOBODY);
  assert.deepEqual(stage.markOrphaned, []);
  stage.others = [ABLE];
  await stage.watch.look("me", (name) => name === "sender_2");
  assert.deepEqual(stage.markOrphaned, [["sender_1"]]);
  await stage.watch.look("me", NOBODY);
  await stage.watch.look("me", NOBODY);
  assert.deepEqual(stage.markOrphaned, [["sender_1"], ["sender_2"]]);
});

Deno.test("KeyWatch leaves what others can open to them, for as long as they are there", async () => {
  const stage = new Stage();
  stage.others = [ABLE];
  await stage.watch.note("me", "sender_1", "old");
  await stage.watch.look("me", NOBODY);
  assert.deepEqual(stage.watch.left, { keys: new Set(["old"]), sessions: ["sender_1"] });
  stage.others = [];
  await stage.watch.look("me", NOBODY);
  assert.deepEqual(stage.watch.left, { keys: new Set(), sessions: [] });
  stage.others = [ABLE];
  await stage.watch.look("me", NOBODY);
  assert.deepEqual(stage.watch.left, { keys: new Set(["old"]), sessions: [] });
});
