/**
 * What a worker can say: one good message of each kind, and values that no field should hold.
 * @module
 */
import fc from "fast-check";

const KEYS = [{ type: "pre-key", id: "1", value: "{}" }, { type: "session", id: "2", value: null }];
export const PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==";

/** A message of each kind, as it is right somewhere; of socket 1 where it is of a socket. */
export const GOOD: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  pulse: { type: "pulse", memoryBytes: 1, now: 1, heard: [[1, 1]] },
  stopped: { type: "stopped" },
  fault: { type: "fault", name: "TypeError" },
  qr: { type: "qr", socket: 1, string: PNG, ordinal: 0, generatedAt: 1, now: 1 },
  paired: { type: "paired", socket: 1, request: 1, credentials: "{}", keys: KEYS },
  passkey_demanded: { type: "passkey_demanded", socket: 1 },
  identified: { type: "identified", socket: 1, jid: "5491155550001:1@s.whatsapp.net" },
  connected: { type: "connected", socket: 1, jid: "5491155550001:1@s.whatsapp.net" },
  closed: { type: "closed", socket: 1, cause: { origin: "client", code: 408 } },
  gone: { type: "gone", socket: 1, unlinked: false },
  load: { type: "load", socket: 1, request: 1, keyType: "session", ids: ["1"] },
  save: { type: "save", socket: 1, request: 1, keys: KEYS, credentials: "{}" },
};

/** What is wrong in every field, by what it is. */
export function hostileValues(): Record<string, unknown> {
  const looped: unknown[] = [];
  looped.push(looped);
  return {
    null: null,
    undefined: undefined,
    NaN,
    infinity: Infinity,
    "a fraction below zero": -0.5,
    "a huge number": 1e308,
    "a big integer": 2n ** 70n,
    true: true,
    "an object": {},
    "an object of its own prototype": JSON.parse('{"__proto__":{"type":"gone"},"constructor":1}'),
    "an empty text": "",
    "a lone surrogate": "\ud800",
    "a control character": "\u0000\n",
    "a long text": "x".repeat(5 * 2 ** 20),
    "a sparse array": new Array(2 ** 20),
    "an array of arrays": [[[]], [null]],
    "an array in itself": looped,
    "many things": new Array(200_000).fill("1"),
    "a map": new Map([["type", "gone"]]),
    "a set": new Set([1]),
    "a date": new Date(0),
    "a pattern": /x/,
    "an error": new Error("x"),
    "bytes": new Uint8Array(3),
    "a boxed text": Object("gone"),
  };
}

/** Values that are wrong in one field, though another would take them. */
export const WRONG_HERE: Readonly<Record<string, readonly unknown[]>> = {
  type: ["qrs", "__proto__", "constructor"],
  socket: [0, -1, 1.5, 2 ** 53, "1", 99],
  request: [0, -1, 1.5, 2 ** 53, "1"],
  memoryBytes: [-1, 2 ** 60, "1"],
  heard: [[[1]], [[1, NaN]], [[1, 2, 3]], [["1", 2]], [1, 2], [[99, 1]], [,]],
  name: ["two words", "a\nb", "é", "x".repeat(65)],
  string: [
    "https://wa.me/settings/linked_devices#",
    "data:image/png;base64,",
    "data:text/html;base64,iVBORw0KGgo=",
    `${PNG}"><script>`,
    PNG + "A".repeat(40_000),
  ],
  ordinal: [-1, 0.5, 100, 2 ** 31],
  generatedAt: ["1", -1],
  now: ["1", -1],
  credentials: ["x".repeat(4 * 2 ** 20 + 1)],
  keys: [
    [null],
    [,],
    [{ type: "creds", id: "1", value: "x" }],
    [{ type: "x".repeat(65), id: "1", value: "x" }],
    [{ type: "é", id: "1", value: "x" }],
    [{ type: "", id: "1", value: "x" }],
    [{ type: "session", id: "é".repeat(128), value: "x" }],
    [{ type: "session", id: "x".repeat(256), value: "x" }],
    [{ type: "session", id: "\udfff", value: "x" }],
    [{ type: "session", id: "1", value: 1 }],
    [{ type: "session", id: "1" }],
    [{ type: "session", id: "1", value: "" }],
    [{ type: "session", id: "1", value: "\ud800" }],
    [["session", "1", "x"]],
    { length: 1, 0: { type: "session", id: "1", value: "x" } },
  ],
  keyType: ["creds", "", "é", "x".repeat(65)],
  ids: ["1", [1], [,], ["x".repeat(256)], ["é".repeat(128)], ["\ud800"]],
  jid: ["", "a b", "é@s.whatsapp.net", "x".repeat(129)],
  cause: [
    { origin: "worker" },
    { origin: "main" },
    { origin: "__proto__" },
    { origin: "client" },
    { origin: "client", code: NaN },
    { origin: "client", code: "408" },
    { origin: "whatsapp", code: 1_000 },
    { origin: "whatsapp", code: 401, tag: "a b" },
    { origin: "whatsapp", code: 401, kind: {} },
    { origin: "network", errno: "x".repeat(65) },
    { origin: "network", status: -1 },
  ],
  unlinked: ["true", 1],
};

/** Values of these fields that all else is wrong for, and which they take. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  // An absent field is one that need not be there.
  "save.credentials": ["undefined", "a control character"],
  "paired.credentials": ["a control character"],
  "gone.unlinked": ["true"],
  // That they are later than now is judged by the clock.
  "qr.generatedAt": ["a huge number"],
  "qr.now": ["a huge number"],
  "pulse.now": ["a huge number"],
};

/** Every kind × every field × every value that is wrong there. */
export function wrongMessages(): { what: string; message: unknown }[] {
  const hostile = hostileValues();
  return Object.entries(GOOD).flatMap(([type, good]) =>
    Object.keys(good).flatMap((field) => {
      const taken = TAKEN[`${type}.${field}`] ?? [];
      const general = Object.entries(hostile).filter(([name]) => !taken.includes(name));
      const special = (WRONG_HERE[field] ?? []).map((value, i) => [`${i}`, value] as const);
      return [...general, ...special].map(([name, value]) => ({
        what: `${type}.${field}: ${name}`,
        message: { ...good, [field]: value },
      }));
    })
  );
}

/** Good and bad messages of a few sockets, in any order. */
export const anyMessage: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constantFrom(...Object.keys(GOOD)),
      socket: fc.integer({ min: 1, max: 4 }),
      request: fc.integer({ min: 1, max: 30 }),
      ordinal: fc.integer({ min: 0, max: 3 }),
    }).map(({ type, ...changes }) => {
      const good = GOOD[type]!;
      const fitting = Object.entries(changes).filter(([field]) => field in good);
      return { ...good, ...Object.fromEntries(fitting) };
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom(...wrongMessages().map(({ message }) => message)) },
  {
    weight: 1,
    arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
  },
);
