/**
 * What a worker can send: one good message of each kind, and values that no field should hold.
 * @module
 */
import fc from "fast-check";

const KEYS = [{ type: "pre-key", id: "1", value: "{}" }, { type: "session", id: "2", value: null }];
export const PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==";

/** What the envelopes hold, as it is right somewhere. */
const EVENTS = {
  qr: { string: PNG, ordinal: 0 },
  passkey_demanded: {},
  identified: { jid: "5491155550001:1@s.whatsapp.net" },
  connected: { jid: "5491155550001:1@s.whatsapp.net" },
  closed: { cause: { origin: "client", code: 408 } },
};
const REQUESTS = {
  paired: { credentials: "{}", keys: KEYS },
  load_keys: { keyType: "session", ids: ["1"] },
  save_keys: { keys: KEYS, credentials: "{}" },
};
const ANSWERS = {
  heartbeat: { memoryBytes: 1, now: 1, heard: [[1, 1]] },
  stop: {},
};

export type Kind = keyof typeof EVENTS | keyof typeof REQUESTS | keyof typeof ANSWERS | "gone" | "fault";
type Fields = Readonly<Record<string, unknown>>;

/** A message of each kind, as it is right somewhere; of socket 1 where it is of a socket. */
export const GOOD: Readonly<Record<Kind, Fields>> = {
  ...inEach(EVENTS, (event) => ({ type: "event", socket: 1, event, at: 1, now: 1 })),
  ...inEach(REQUESTS, (request) => ({ type: "request", socket: 1, id: 1, request })),
  ...inEach(ANSWERS, (answer) => ({ type: "answer", id: 1, answer })),
  gone: { type: "gone", socket: 1, unlinked: false },
  fault: { type: "fault", name: "TypeError" },
};

function inEach<Type extends string>(
  contents: Readonly<Record<Type, Fields>>,
  put: (content: Fields) => Fields,
) {
  const messages = Object.entries<Fields>(contents).map(([type, fields]) => [type, put({ type, ...fields })]);
  return Object.fromEntries(messages) as Record<Type, Fields>;
}

/** The name of the field that holds an envelope's content; null for a message that is none. */
function contentOf(message: Fields): string | null {
  return ["event", "request", "answer"].find((name) => name in message) ?? null;
}

/** A good message of this kind with some fields changed, be they its envelope's or its content's. */
export function good(kind: Kind, changes: Fields): Fields {
  return Object.entries(changes).reduce(
    (message, [field, value]) => change(message, field, value),
    GOOD[kind],
  );
}

function change(message: Fields, field: string, value: unknown): Fields {
  const name = contentOf(message);
  if (field in message || name === null) return { ...message, [field]: value };
  return { ...message, [name]: { ...message[name] as Fields, [field]: value } };
}

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
  event: [GOOD.paired.request, { type: "stop" }],
  request: [GOOD.closed.event, { type: "stop" }],
  answer: [GOOD.load_keys.request, { type: "gone" }],
  socket: [0, -1, 1.5, 2 ** 53, "1", 99],
  id: [0, -1, 1.5, 2 ** 53, "1"],
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
  at: ["1", -1],
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

/** Values that these fields take, though they are wrong anywhere else. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  // An absent field is one that need not be there.
  "save_keys.credentials": ["undefined", "a control character"],
  "paired.credentials": ["a control character"],
  "gone.unlinked": ["true"],
  // That they are later than now is judged by the clock.
  at: ["a huge number"],
  now: ["a huge number"],
};

/** Every kind × every field × every value that is wrong there. */
export function wrongMessages(): { what: string; message: unknown }[] {
  const hostile = hostileValues();
  return Object.entries(GOOD).flatMap(([kind, message]) => {
    const name = contentOf(message);
    const content = name === null ? {} : message[name] as Fields;
    const inContent = Object.keys(content).filter((field) => !(field in message) || field === "type");
    const valuesOf = (field: string): [string, unknown][] => {
      const taken = [...TAKEN[field] ?? [], ...TAKEN[`${kind}.${field}`] ?? []];
      return [
        ...Object.entries(hostile).filter(([value]) => !taken.includes(value)),
        ...(WRONG_HERE[field] ?? []).map((value, i): [string, unknown] => [`${i}`, value]),
      ];
    };
    return [
      ...Object.keys(message).flatMap((field) =>
        valuesOf(field).map(([value, wrong]) => ({
          what: `${kind}.${field}: ${value}`,
          message: { ...message, [field]: wrong },
        }))
      ),
      ...inContent.flatMap((field) =>
        valuesOf(field).map(([value, wrong]) => ({
          what: `${kind}.${name}.${field}: ${value}`,
          message: { ...message, [name!]: { ...content, [field]: wrong } },
        }))
      ),
    ];
  });
}

/** Good and bad messages of a few sockets, in any order. */
export const anyMessage: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom(...Object.keys(GOOD) as Kind[]),
      socket: fc.integer({ min: 1, max: 4 }),
      id: fc.integer({ min: 1, max: 30 }),
      ordinal: fc.integer({ min: 0, max: 3 }),
    }).map(({ kind, socket, id, ordinal }) => {
      const message = GOOD[kind];
      return good(kind, {
        ...("socket" in message ? { socket } : {}),
        ...("id" in message ? { id } : {}),
        ...(kind === "qr" ? { ordinal } : {}),
      });
    }),
  },
  { weight: 1, arbitrary: fc.constantFrom(...wrongMessages().map(({ message }) => message)) },
  {
    weight: 1,
    arbitrary: fc.anything({ withBigInt: true, withDate: true, withMap: true, withSparseArray: true }),
  },
);
