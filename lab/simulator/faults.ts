import type { CertificateFlaw } from "./certificates.ts";
import type { DropStyle, StreamErrorSpec } from "./endings.ts";

/** A stage of a connection that a fault can delay. */
export type DelayStage = "handshake" | "pairing" | "success" | "515" | "iq";

/** What goes wrong. Those with `afterMs` strike that long after the device came online; at once when omitted. */
export type FaultAction =
  /** Destroys the TCP connection instead of upgrading it. */
  | { readonly do: "refuse" }
  /** Answers the upgrade with an HTTP status. */
  | { readonly do: "http-status"; readonly status: number }
  /** Never answers the upgrade. */
  | { readonly do: "hang-upgrade" }
  /** Never answers the client's hello. */
  | { readonly do: "hang-handshake" }
  /** Answers the client's hello with random bytes. */
  | { readonly do: "garble-handshake" }
  /** Presents a chain that is signed by a stranger, or whose issuer serial is wrong. */
  | { readonly do: "bad-certificate"; readonly flaw: CertificateFlaw }
  /** Answers later. It adds to whatever else goes wrong. */
  | { readonly do: "delay"; readonly stage: DelayStage; readonly ms: number }
  /** Answers when the test says so; no rule for JSON. */
  | { readonly do: "hold"; readonly stage: DelayStage; readonly until: Promise<unknown> }
  /** `<failure reason="…"/>` at login or registration. */
  | { readonly do: "failure"; readonly code: number }
  /** `<ib><downgrade_webclient/></ib>`, which Baileys reports as 411. */
  | { readonly do: "downgrade" }
  /** Never sends refs. */
  | { readonly do: "no-refs" }
  /** Never sends pair-success after a scan. */
  | { readonly do: "no-pair-success" }
  /** Sends a pair-success that does not authenticate. */
  | { readonly do: "bad-hmac" }
  /** Never sends 515 after the client signed; with `close`, closes without it. */
  | { readonly do: "no-515"; readonly close?: boolean }
  /** Never answers a good login. */
  | { readonly do: "no-success" }
  /** Never answers an iq, of one namespace (`encrypt`, `passive`, `w:p`…) or of any. */
  | { readonly do: "no-iq"; readonly xmlns?: string }
  /** Refuses an iq, of one namespace or of any. */
  | { readonly do: "refuse-iq"; readonly code: number; readonly xmlns?: string }
  /** Goes silent: TCP stays open, nothing is answered. */
  | { readonly do: "silence"; readonly afterMs?: number }
  /** Drops the connection. */
  | { readonly do: "drop"; readonly how?: DropStyle; readonly afterMs?: number }
  /** Sends a stream error and closes. */
  | ({ readonly do: "stream-error"; readonly afterMs?: number } & StreamErrorSpec)
  /** Sends a frame that cannot be decrypted. */
  | { readonly do: "garble"; readonly afterMs?: number };

/** Names of all faults. */
export type FaultName = FaultAction["do"];

/** Whom a rule strikes. A phone's number is known at login, and in a pairing from the scan on. */
export interface FaultMatcher {
  /** E.164. */
  readonly phone?: string;
  /** A device's jid. */
  readonly device?: string;
  readonly kind?: "pairing" | "login" | "any";
  /** How often the rule strikes; without limit when omitted. */
  readonly times?: number;
  /** From 0 to 1; always when omitted. */
  readonly probability?: number;
  /** From 0 up to 1; `Math.random` when omitted. */
  readonly random?: () => number;
}

/** A matcher and an action. */
export type FaultRule = FaultMatcher & FaultAction;

/** An added rule. */
export interface FaultHandle {
  /** How often it has struck. */
  readonly used: number;
  remove(): void;
}

/** What is known about a connection when a fault may strike it. */
export interface FaultSubject {
  readonly phone: string | null;
  readonly device: string | null;
  /** Null until the client said what it wants. */
  readonly kind: "pairing" | "login" | null;
}

interface Entry {
  readonly rule: FaultRule;
  used: number;
}

// These strike before the client said who it is, so they cannot be aimed.
const BLIND: ReadonlySet<FaultName> = new Set([
  "refuse",
  "http-status",
  "hang-upgrade",
  "hang-handshake",
  "garble-handshake",
  "bad-certificate",
]);
const AIMED: ReadonlySet<FaultName> = new Set([
  "delay",
  "hold",
  "failure",
  "downgrade",
  "no-refs",
  "no-pair-success",
  "bad-hmac",
  "no-515",
  "no-success",
  "no-iq",
  "refuse-iq",
  "silence",
  "drop",
  "stream-error",
  "garble",
]);
const STAGES: ReadonlySet<string> = new Set(["handshake", "pairing", "success", "515", "iq"]);

/** The rules in force, in the order in which they were added. */
export class FaultBook {
  readonly #entries = new Set<Entry>();

  /** @throws {TypeError} when the rule makes no sense */
  add(rule: FaultRule): FaultHandle {
    checkRule(rule);
    const entry: Entry = { rule, used: 0 };
    this.#entries.add(entry);
    return {
      get used() {
        return entry.used;
      },
      remove: () => void this.#entries.delete(entry),
    };
  }

  clear(): void {
    this.#entries.clear();
  }

  /** The first rule of one of these names that strikes now; its use is counted. */
  strike<Name extends FaultName>(
    names: readonly Name[],
    subject: FaultSubject,
    fits?: (action: Extract<FaultRule, { do: Name }>) => boolean,
  ): Extract<FaultRule, { do: Name }> | null {
    for (const entry of this.#entries) {
      const { rule } = entry;
      if (!isNamed(rule, names) || !aims(rule, subject) || entry.used >= (rule.times ?? Infinity)) continue;
      if (fits && !fits(rule)) continue;
      if (rule.probability !== undefined && (rule.random ?? Math.random)() >= rule.probability) continue;
      entry.used++;
      return rule;
    }
    return null;
  }

  /** How long to wait at a stage: milliseconds. */
  delay(stage: DelayStage, subject: FaultSubject): number {
    if (this.#entries.size === 0) return 0;
    return this.strike(["delay"], subject, (action) => action.stage === stage)?.ms ?? 0;
  }

  /** What to wait for at a stage; null when there is nothing. */
  hold(stage: DelayStage, subject: FaultSubject): Promise<unknown> | null {
    if (this.#entries.size === 0) return null;
    return this.strike(["hold"], subject, (action) => action.stage === stage)?.until ?? null;
  }
}

function isNamed<Name extends FaultName>(
  rule: FaultRule,
  names: readonly Name[],
): rule is Extract<FaultRule, { do: Name }> {
  return (names as readonly FaultName[]).includes(rule.do);
}

function aims(rule: FaultMatcher, subject: FaultSubject): boolean {
  return (rule.phone === undefined || rule.phone === subject.phone) &&
    (rule.device === undefined || rule.device === subject.device) &&
    (rule.kind === undefined || rule.kind === "any" || rule.kind === subject.kind);
}

function checkRule(rule: FaultRule): void {
  if (!BLIND.has(rule.do) && !AIMED.has(rule.do)) throw new TypeError(`there is no fault '${rule.do}'`);
  const isBlind = BLIND.has(rule.do) || ("stage" in rule && rule.stage === "handshake");
  const isAimed = rule.phone !== undefined || rule.device !== undefined ||
    (rule.kind !== undefined && rule.kind !== "any");
  if (isBlind && isAimed) {
    throw new TypeError(`'${rule.do}' strikes before the client said who it is: no phone, device or kind`);
  }
  if (rule.kind !== undefined && !["pairing", "login", "any"].includes(rule.kind)) {
    throw new TypeError("kind is pairing, login or any");
  }
  checkNumber("times", rule.times, 1, Number.MAX_SAFE_INTEGER);
  checkNumber("probability", rule.probability, 0, 1);
  if ("afterMs" in rule) checkNumber("afterMs", rule.afterMs, 0, 2 ** 31 - 1);
  switch (rule.do) {
    case "http-status":
      return requireNumber("status", rule.status, 200, 599);
    case "failure":
    case "refuse-iq":
      return requireNumber("code", rule.code, 100, 999);
    case "hold":
      checkStage(rule.stage);
      if (!(rule.until instanceof Promise)) throw new TypeError("until is a promise");
      return;
    case "delay":
      checkStage(rule.stage);
      return requireNumber("ms", rule.ms, 0, 2 ** 31 - 1);
    case "bad-certificate":
      if (rule.flaw !== "signature" && rule.flaw !== "serial") {
        throw new TypeError("flaw is signature or serial");
      }
      return;
    case "drop":
      if (!["terminate", "close", "xmlstreamend", undefined].includes(rule.how)) {
        throw new TypeError("how is terminate, close or xmlstreamend");
      }
      return;
    default:
      return;
  }
}

function checkStage(stage: string): void {
  if (!STAGES.has(stage)) throw new TypeError(`stage is one of ${[...STAGES].join(", ")}`);
}

function requireNumber(name: string, value: unknown, least: number, most: number): void {
  if (value === undefined) throw new TypeError(`${name} is missing`);
  checkNumber(name, value, least, most);
}

function checkNumber(name: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return;
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw new TypeError(`${name} is a number from ${least} to ${most}`);
  }
}
