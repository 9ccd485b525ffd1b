import assert from "node:assert/strict";
import fc from "fast-check";
import {
  admit,
  isSealingAlone,
  type KeyHolder,
  type KeyRing,
  keysOfOthers,
  sharesAmongEquals,
  whyNotSealing,
} from "../../domain/key_ring.ts";

const holder = (replica: string, keys: string[] | null, sealsWith: string | null = null): KeyHolder => ({
  replica,
  keys: keys === null ? null : new Set(keys),
  sealsWith,
});

const ringOf = (sealing: string | null, inUse: string[], ...holders: KeyHolder[]): KeyRing => ({
  sealing,
  inUse: new Set(inUse),
  holders,
});

Deno.test("admit() goes on with the key that seals when the replica has it, however new its others are", () => {
  const ring = ringOf("old", ["old"], holder("a", ["old"]));
  assert.deepEqual(admit(ring, "b", ["new", "old"]), { kind: "admitted", sealing: "old" });
  assert.deepEqual(admit({ ...ring, sealing: "new" }, "b", ["new", "old"]), {
    kind: "admitted",
    sealing: "new",
  });
});

Deno.test("admit() has the newest key seal before the first replica, or the oldest that opens what is there", () => {
  assert.deepEqual(admit(ringOf(null, []), "a", ["new", "old"]), { kind: "admitted", sealing: "new" });
  assert.deepEqual(admit(ringOf(null, ["new", "old"]), "a", ["new", "old", "older"]), {
    kind: "admitted",
    sealing: "old",
  });
});

Deno.test("admit() refuses a replica that lacks what another one that is present has, or may have", () => {
  const refused = (ring: KeyRing, keys: string[]): string => {
    const admission = admit(ring, "b", keys);
    assert.ok(admission.kind === "refused");
    return admission.why;
  };
  assert.match(refused(ringOf("old", ["old"], holder("a", ["old"])), ["new"]), / another replica has /);
  assert.match(
    refused(ringOf("new", ["new"], holder("a", ["new", "old"])), ["old"]),
    / another replica has /,
  );
  assert.match(
    refused(ringOf("new", ["new", "old"], holder("a", ["new", "old"])), ["new"]),
    / another replica has /,
  );
  assert.match(refused(ringOf(null, ["old"], holder("a", null)), ["new"]), / an earlier version may have /);
});

Deno.test("admit() lets a replica go on with its own key when nobody has the one that is lost", () => {
  assert.deepEqual(admit(ringOf("lost", ["lost"]), "a", ["new"]), { kind: "admitted", sealing: "new" });
  const ring = ringOf("new", ["lost", "new"], holder("a", ["new"]));
  assert.deepEqual(admit(ring, "b", ["new"]), { kind: "admitted", sealing: "new" });
  // Its own presence, from before its connection was lost, is nobody else's.
  assert.equal(admit(ringOf("lost", ["lost"], holder("a", ["lost"])), "a", ["new"]).kind, "admitted");
});

Deno.test("whyNotSealing() names how many replicas lack the key, or do not say", () => {
  assert.equal(whyNotSealing(ringOf("old", ["old"]), "new"), null);
  assert.equal(whyNotSealing(ringOf("old", ["old"], holder("a", ["new", "old"])), "new"), null);
  const lacking = ringOf(
    "old",
    ["old"],
    holder("a", ["new", "old"]),
    holder("b", ["old"]),
    holder("c", null),
  );
  assert.match(whyNotSealing(lacking, "new") ?? "", /^2 of 3 replicas that are present cannot open /);
  const silent = ringOf("old", ["old"], holder("a", ["new", "old"]), holder("c", null));
  assert.match(
    whyNotSealing(silent, "new") ?? "",
    /^1 of 2 replicas that are present is of an earlier version/,
  );
});

Deno.test("keysOfOthers() leaves out what the replica has itself, and what nobody says", () => {
  const ring = ringOf(
    "new",
    ["new", "old"],
    holder("a", ["new"]),
    holder("b", ["new", "old"]),
    holder("c", null),
  );
  assert.deepEqual(keysOfOthers(ring, "a", ["new"]), new Set(["old"]));
  assert.deepEqual(keysOfOthers(ring, "b", ["new", "old"]), new Set());
});

Deno.test("sharesAmongEquals() counts on nobody who cannot open what the replica can", () => {
  const ring = ringOf(
    "new",
    ["new", "old"],
    holder("a", ["new"]),
    holder("b", ["new", "old"]),
    holder("c", null),
  );
  const shares = { sessions: new Map([["a", 0], ["b", 10], ["c", 4]]), orphans: 3 };
  const among = (keys: string[]) => [...sharesAmongEquals(shares, ring, keys).sessions.keys()];
  assert.deepEqual(among(["new", "old"]), ["b", "c"]);
  assert.deepEqual(among(["new"]), ["a", "b", "c"]);
  // A key with which nothing is sealed makes nobody less.
  assert.deepEqual(among(["newer", "new"]), ["a", "b", "c"]);
});

// ── Any order of restarts ────────────────────────────────────────────────────────────────────────

/** A fleet and what is stored, as the database has them. */
interface Fleet {
  ring: KeyRing;
  /** The keys of the rows that are stored. */
  rows: Set<string>;
}

/** Often as it should be, or hardly any rotation would ever come about. */
const LISTS = [["old"], ["new", "old"], ["new", "old"], ["old", "new"], ["new"]] as const;
const NAMES = ["a", "b"];

type Step =
  | { readonly kind: "restart"; readonly name: string; readonly keys: readonly string[] }
  | { readonly kind: "stop" | "write" | "follow"; readonly name: string }
  | { readonly kind: "rotate" | "finish" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("restart" as const),
    name: fc.constantFrom(...NAMES),
    keys: fc.constantFrom<readonly string[]>(...LISTS),
  }),
  fc.record({
    kind: fc.constantFrom("stop" as const, "write" as const, "follow" as const),
    name: fc.constantFrom(...NAMES),
  }),
  fc.record({ kind: fc.constantFrom("rotate" as const, "finish" as const) }),
);

/** What a step comes to; a replica that would leave nobody behind does not go. */
function take({ ring, rows }: Fleet, todo: Step): Fleet {
  const without = (name: string) => ring.holders.filter(({ replica }) => replica !== name);
  const change = (name: string, changed: (known: KeyHolder) => Partial<KeyHolder>): KeyRing => ({
    ...ring,
    holders: ring.holders.map((known) => known.replica === name ? { ...known, ...changed(known) } : known),
  });
  switch (todo.kind) {
    case "restart": {
      const others = without(todo.name);
      if (others.length === 0) return { ring, rows };
      const rest = { ...ring, holders: others };
      const admission = admit(rest, todo.name, todo.keys);
      if (admission.kind === "refused") return { ring: rest, rows };
      const { sealing } = admission;
      return {
        rows,
        ring: {
          sealing,
          inUse: new Set([...ring.inUse, sealing]),
          holders: [...others, holder(todo.name, [...todo.keys], sealing)],
        },
      };
    }
    case "stop":
      return without(todo.name).length === 0 ? { ring, rows } : {
        ring: { ...ring, holders: without(todo.name) },
        rows,
      };
    case "write": {
      const writer = ring.holders.find(({ replica }) => replica === todo.name);
      // One that has not heard of a rotation yet goes on with the key it had.
      return writer ? { ring, rows: new Set([...rows, writer.sealsWith!]) } : { ring, rows };
    }
    case "follow":
      return {
        rows,
        ring: change(
          todo.name,
          ({ keys, sealsWith }) => ({ sealsWith: keys!.has(ring.sealing!) ? ring.sealing : sealsWith }),
        ),
      };
    case "rotate":
      if (whyNotSealing(ring, "new") !== null) return { ring, rows };
      return { rows, ring: { ...ring, sealing: "new", inUse: new Set([...ring.inUse, "new"]) } };
    case "finish":
      return ring.sealing === "new" && isSealingAlone(ring, "new")
        ? { rows: new Set(["new"]), ring: { ...ring, inUse: new Set(["new"]) } }
        : { ring, rows };
    default:
      return todo satisfies never;
  }
}

Deno.test("every replica can open everything, in whatever order replicas are restarted and keys are rotated", () => {
  let finished = 0;
  let isRefused = false;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
      let fleet: Fleet = {
        ring: ringOf("old", ["old"], holder("a", ["old"], "old"), holder("b", ["old"], "old")),
        rows: new Set(["old"]),
      };
      for (const todo of steps) {
        fleet = take(fleet, todo);
        for (const { replica, keys } of fleet.ring.holders) {
          for (const key of fleet.rows) assert.ok(keys?.has(key), `${replica} lacks ${key}`);
        }
        isRefused ||= todo.kind === "restart" &&
          !fleet.ring.holders.some(({ replica }) => replica === todo.name);
      }
      if (!fleet.rows.has("old")) finished++;
    }),
    { numRuns: 500 },
  );
  assert.ok(finished > 0 && isRefused, "rotations came to their end, and replicas were refused");
});
