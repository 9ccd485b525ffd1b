/**
 * What a worker says, checked before anything believes it. A worker runs code that WhatsApp and strangers feed: what
 * it says can be wrong in every way in which plain data can be.
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
/** A JID as it is told; what number it stands for, if any, is judged elsewhere. */
const JID = /^[\x21-\x7e]{1,128}$/;
/** More memory than any process has, in bytes. */
const MEMORY_BYTES = 2 ** 48;

/** By the worker's monotonic time, in milliseconds. */
const moment = z.number().min(0);
const socket = z.int().positive();
const request = z.int().positive();
const jid = z.string().regex(JID);
const name = z.custom<string>(isName);
const text = z.custom<string>(isText);
const keys = z.custom<readonly KeyWrite[]>(areKeyWrites);
const code = z.int().min(0).max(999);

/** An end as a worker may tell it; that a worker is lost is for the main thread to say. */
const cause = z.discriminatedUnion("origin", [
  z.object({ origin: z.literal("whatsapp"), code, tag: name.optional(), kind: name.optional() }),
  z.object({ origin: z.literal("network"), status: code.optional(), errno: name.optional() }),
  z.object({ origin: z.literal("client"), code }),
]);

const report = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("pulse"),
    memoryBytes: z.number().min(0).max(MEMORY_BYTES),
    now: moment,
    heard: z.custom<readonly (readonly [number, number])[]>(areHeard),
  }),
  z.object({ type: z.literal("stopped") }),
  z.object({ type: z.literal("fault"), name }),
  z.object({
    type: z.literal("qr"),
    socket,
    string: z.string().max(QR_CHARACTERS).regex(QR),
    ordinal: z.int().min(0).max(99),
    generatedAt: moment,
    now: moment,
  }),
  z.object({ type: z.literal("paired"), socket, request, credentials: text, keys }),
  z.object({ type: z.literal("passkey_demanded"), socket }),
  z.object({ type: z.literal("identified"), socket, jid }),
  z.object({ type: z.literal("connected"), socket, jid }),
  z.object({ type: z.literal("closed"), socket, cause }),
  z.object({ type: z.literal("gone"), socket, unlinked: z.boolean() }),
  z.object({
    type: z.literal("load"),
    socket,
    request,
    keyType: z.custom<string>(isKeyType),
    ids: z.custom<readonly string[]>(areKeyIds),
  }),
  z.object({ type: z.literal("save"), socket, request, keys, credentials: text.optional() }),
]);

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

/** What a message of a worker says, or where it is no report at all. */
export type Checked =
  | { readonly ok: true; readonly report: Report }
  /** `flaw` names the field, and quotes nothing. */
  | { readonly ok: false; readonly flaw: string };

const TYPES: ReadonlySet<unknown> = new Set(report.options.map(({ shape }) => shape.type.value));

/** Reads a message of a worker, which can be anything that crosses by structured clone. Never throws. */
export function checkReport(message: unknown): Checked {
  const { success, data, error } = report.safeParse(message);
  if (success) return { ok: true, report: data as Report };
  const type = (message as { type?: unknown } | null)?.type;
  const field = error.issues[0]?.path[0];
  return { ok: false, flaw: `${TYPES.has(type) ? type : "unknown"}: ${String(field ?? "message")}` };
}
