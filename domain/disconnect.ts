/**
 * Every way in which a socket ends, and the verdict on it: one table, read from the top. What nobody has
 * seen yet is a drop for an unknown cause, which is retried.
 *
 * Source: decisions, "Transitions"; the protocol's "Login" and "Traps".
 * @module
 */
import type { DisconnectReason, FaultCode } from "@session-manager/contract";

/** How a socket ended, as far as the socket layer can tell. Holds no text of any library. */
export type DisconnectCause =
  /**
   * WhatsApp said so: `<failure reason>` at the login, `<stream:error>` later. `tag` and `kind` are a stream
   * error's child and its `type`, such as `conflict` and `replaced`.
   */
  | { readonly origin: "whatsapp"; readonly code: number; readonly tag?: string; readonly kind?: string }
  /** The network or a proxy: an HTTP status instead of an upgrade, or an operating system's or TLS error. */
  | { readonly origin: "network"; readonly status?: number; readonly errno?: string }
  /** The socket layer gave up by itself: closed (428), unanswered (408), refused a certificate (400), threw (0). */
  | { readonly origin: "client"; readonly code: number }
  /** The worker that carried the socket is gone. */
  | { readonly origin: "worker" };

/** What to do about it. */
export type Verdict =
  | { readonly kind: "retry"; readonly reason: Exclude<DisconnectReason, "LOGOUT"> }
  | { readonly kind: "restart" }
  | { readonly kind: "logged_out" }
  | { readonly kind: "unrecoverable"; readonly code: FaultCode };

/** One row: which causes it speaks of, and the verdict on them. */
export interface DisconnectRow {
  /** What happened, in a few words; names the row. */
  readonly name: string;
  readonly matches: (cause: DisconnectCause) => boolean;
  readonly verdict: Verdict;
}

const retry = (reason: Exclude<DisconnectReason, "LOGOUT">): Verdict => ({ kind: "retry", reason });
const unrecoverable = (code: FaultCode): Verdict => ({ kind: "unrecoverable", code });
const loggedOut: Verdict = { kind: "logged_out" };

type Matcher = DisconnectRow["matches"];
const whatsapp = (code: number): Matcher => (cause) => cause.origin === "whatsapp" && cause.code === code;
const conflict = (kind: string): Matcher => (cause) =>
  cause.origin === "whatsapp" && cause.tag === "conflict" && cause.kind === kind;
const client = (code: number): Matcher => (cause) => cause.origin === "client" && cause.code === code;
const errno = (...codes: readonly string[]): Matcher => (cause) =>
  cause.origin === "network" && cause.errno !== undefined && codes.includes(cause.errno);
const origin = (name: DisconnectCause["origin"]): Matcher => (cause) => cause.origin === name;

/** The table. The first row that matches decides; the last of each origin matches whatever is left of it. */
export const DISCONNECT_TABLE: readonly DisconnectRow[] = [
  // What a conflict is about says more than the code beside it.
  { name: "unlinked on the phone", matches: conflict("device_removed"), verdict: loggedOut },
  {
    name: "login used elsewhere",
    matches: conflict("replaced"),
    verdict: unrecoverable("LOGGED_IN_ELSEWHERE"),
  },
  { name: "401 login unknown", matches: whatsapp(401), verdict: loggedOut },
  { name: "403 account forbidden", matches: whatsapp(403), verdict: unrecoverable("ACCOUNT_FORBIDDEN") },
  { name: "405 client outdated", matches: whatsapp(405), verdict: unrecoverable("CLIENT_OUTDATED") },
  { name: "408 WhatsApp timed out", matches: whatsapp(408), verdict: retry("TIMEOUT") },
  {
    name: "411 WhatsApp cannot link devices",
    matches: whatsapp(411),
    verdict: unrecoverable("MULTIDEVICE_MISMATCH"),
  },
  { name: "428 WhatsApp closed", matches: whatsapp(428), verdict: retry("NETWORK") },
  { name: "440 conflict", matches: whatsapp(440), verdict: unrecoverable("LOGGED_IN_ELSEWHERE") },
  { name: "500 WhatsApp failed", matches: whatsapp(500), verdict: retry("UNKNOWN") },
  { name: "503 WhatsApp unavailable", matches: whatsapp(503), verdict: retry("NETWORK") },
  { name: "515 restart required", matches: whatsapp(515), verdict: { kind: "restart" } },
  { name: "unknown code of WhatsApp's", matches: origin("whatsapp"), verdict: retry("UNKNOWN") },

  { name: "unanswered", matches: client(408), verdict: retry("TIMEOUT") },
  {
    name: "downgrade demanded",
    matches: client(411),
    verdict: unrecoverable("MULTIDEVICE_MISMATCH"),
  },
  { name: "connection closed", matches: client(428), verdict: retry("NETWORK") },
  { name: "certificate refused", matches: client(400), verdict: retry("UNKNOWN") },
  { name: "handshake or stream unintelligible", matches: origin("client"), verdict: retry("UNKNOWN") },

  // An HTTP status comes from a proxy or from WhatsApp's edge, a TLS error from whoever answered. Neither
  // speaks of the login: a proxy's 401 must never cost the credentials.
  { name: "no answer", matches: errno("ETIMEDOUT", "ESOCKETTIMEDOUT"), verdict: retry("TIMEOUT") },
  { name: "no way through", matches: origin("network"), verdict: retry("NETWORK") },

  { name: "worker lost", matches: origin("worker"), verdict: retry("UNKNOWN") },
];

/** The verdict on a socket's end. Total: the last row of each origin matches whatever is left of it. */
export function judge(cause: DisconnectCause): Verdict {
  const row = DISCONNECT_TABLE.find(({ matches }) => matches(cause)) as DisconnectRow;
  return row.verdict;
}
