/**
 * Checks a worker's messages before anything relies on them. A worker runs code that WhatsApp and strangers feed: its
 * messages can be wrong in every way in which plain data can be.
 * @module
 */
import { z } from "zod";
import type { KeyWrite } from "../domain/credentials.ts";
import type { Report } from "./protocol.ts";
import { areKeyIds, areKeyWrites, isKeyType, isName, isText } from "./worker/limits.ts";

/** The longest QR: a data URL; the product's own have some 4,000 characters, and the row has room for 65,535. */
const QR_CHARACTERS = 32_768;
/** Any base64 of a PNG begins with its signature. */
const QR = /^data:image\/png;base64,iVBORw0KGgo[A-Za-z0-9+/]*={0,2}$/;
/** A JID as it is told; which number it stands for, if any, is judged elsewhere. */
const JID = /^[\x21-\x7e]{1,128}$/;
/** More memory than any process has, in bytes. */
const MEMORY_BYTES = 2 ** 48;

/** By the worker's monotonic time, in milliseconds. */
const moment = z.number().min(0);
const socket = z.int().positive();
const id = z.int().positive();
const jid = z.string().regex(JID);
const name = z.custom<string>(isName);
const text = z.custom<string>(isText);
const keys = z.custom<readonly KeyWrite[]>(areKeyWrites);
const code = z.int().min(0).max(999);

const cause = z.discriminatedUnion("origin", [
  z.object({ origin: z.literal("whatsapp"), code, tag: name.optional(), kind: name.optional() }),
  z.object({ origin: z.literal("network"), status: code.optional(), errno: name.optional() }),
  z.object({ origin: z.literal("client"), code }),
]);

const event = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("qr"),
    string: z.string().max(QR_CHARACTERS).regex(QR),
    ordinal: z.int().min(0).max(99),
  }),
  z.object({ type: z.literal("passkey_demanded") }),
  z.object({ type: z.literal("identified"), jid }),
  z.object({ type: z.literal("connected"), jid }),
  z.object({ type: z.literal("closed"), cause }),
]);

const request = z.discriminatedUnion("type", [
  z.object({ type: z.literal("paired"), credentials: text, keys }),
  z.object({
    type: z.literal("load_keys"),
    keyType: z.custom<string>(isKeyType),
    ids: z.custom<readonly string[]>(areKeyIds),
  }),
  z.object({ type: z.literal("save_keys"), keys, credentials: text.optional() }),
]);

const answer = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("heartbeat"),
    memoryBytes: z.number().min(0).max(MEMORY_BYTES),
    now: moment,
    heard: z.custom<readonly (readonly [number, number])[]>(areHeard),
  }),
  z.object({ type: z.literal("stop") }),
]);

const report = z.discriminatedUnion("type", [
  z.object({ type: z.literal("event"), socket, event, at: moment, now: moment }),
  z.object({ type: z.literal("request"), socket, id, request }),
  z.object({ type: z.literal("answer"), id, answer }),
  z.object({ type: z.literal("gone"), socket, unlinked: z.boolean() }),
  z.object({ type: z.literal("fault"), name }),
]);

// What is checked here is what the rest of the program relies on: a field that only one of the two knows does not
// compile.
true satisfies Same<Writable<z.infer<typeof report>>, Writable<Report>>;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;
/** The same type with nothing read-only in it. */
type Writable<T> = T extends object ? { -readonly [K in keyof T]: Writable<T[K]> } : T;

/** Sockets of one worker, at most. */
const SOCKETS = 100_000;

function areHeard(heard: unknown): boolean {
  if (!Array.isArray(heard) || heard.length > SOCKETS) return false;
  for (let i = 0; i < heard.length; i++) {
    const pair: unknown = heard[i];
    if (!Array.isArray(pair) || pair.length !== 2) return false;
    if (!Number.isSafeInteger(pair[0]) || !Number.isFinite(pair[1])) return false;
  }
  return true;
}

/** A worker's message that is a report, or what is wrong with it. */
export type Checked =
  | { readonly ok: true; readonly report: Report }
  /** `flaw` names the kind and the field, and quotes nothing. */
  | { readonly ok: false; readonly flaw: string };

/** What each envelope holds. */
const CONTENTS = { event, request, answer } as const;
const TYPES: ReadonlySet<unknown> = new Set(
  [report, event, request, answer].flatMap(({ options }) => options.map(({ shape }) => shape.type.value)),
);

/** Reads a worker's message, which can be anything that crosses by structured clone. Never throws. */
export function checkReport(message: unknown): Checked {
  const { success, data, error } = report.safeParse(message);
  if (success) return { ok: true, report: data };
  const [first, second] = error.issues[0]?.path ?? [];
  const isInside = typeof first === "string" && first in CONTENTS && second !== undefined;
  return { ok: false, flaw: `${kindOf(message)}: ${String((isInside ? second : first) ?? "message")}` };
}

/** What a message is about, such as `qr`, `save_keys` or `gone`; `unknown` for anything else. */
export function kindOf(message: unknown): string {
  const outer = message as Record<string, unknown> | null | undefined;
  const envelope = outer?.type;
  const content = typeof envelope === "string" && Object.hasOwn(CONTENTS, envelope)
    ? outer?.[envelope]
    : null;
  const inner = (content as { type?: unknown } | null | undefined)?.type;
  for (const type of [inner, envelope]) if (TYPES.has(type)) return String(type);
  return "unknown";
}
