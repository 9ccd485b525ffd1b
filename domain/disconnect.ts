/**
 * Every way in which a socket ends, and the verdict on it. One table; a code that nobody has seen yet
 * is a drop with an unknown cause, which is retried.
 *
 * Source: decisions, "Transitions"; the protocol's "Login" and "Traps".
 * @module
 */
import type { DisconnectReason, FaultCode } from "./names.ts";

/** How a socket ended, as far as the socket layer can tell. Holds no text of any library. */
export type DisconnectCause =
  /** WhatsApp said so: `<failure reason>` at the login, `<stream:error code>` later. */
  | { readonly origin: "whatsapp"; readonly code: number }
  /** The network or a proxy: an HTTP status instead of an upgrade, or an operating system's error. */
  | { readonly origin: "network"; readonly status?: number; readonly errno?: string }
  /** The socket layer gave up by itself: closed (428), unanswered (408), refused a certificate (400). */
  | { readonly origin: "client"; readonly code: number }
  /** The worker that carried the socket is gone. */
  | { readonly origin: "worker" };

/** What to do about it. */
export type Verdict =
  | { readonly kind: "retry"; readonly reason: Exclude<DisconnectReason, "LOGOUT"> }
  | { readonly kind: "restart" }
  | { readonly kind: "logged_out" }
  | { readonly kind: "unrecoverable"; readonly code: FaultCode };

const retry = (reason: Exclude<DisconnectReason, "LOGOUT">): Verdict => ({ kind: "retry", reason });
const unrecoverable = (code: FaultCode): Verdict => ({ kind: "unrecoverable", code });

/** What WhatsApp's own codes mean. */
const WHATSAPP_CODES: ReadonlyMap<number, Verdict> = new Map([
  [401, { kind: "logged_out" }], // unlinked on the phone, or a login that WhatsApp does not know
  [403, unrecoverable("ACCOUNT_FORBIDDEN")],
  [405, unrecoverable("CLIENT_OUTDATED")],
  [408, retry("TIMEOUT")],
  [411, unrecoverable("MULTIDEVICE_MISMATCH")],
  [428, retry("NETWORK")],
  [440, unrecoverable("LOGGED_IN_ELSEWHERE")],
  [500, retry("UNKNOWN")],
  [503, retry("NETWORK")], // WhatsApp unavailable
  [515, { kind: "restart" }],
]);

/** What the socket layer's own codes mean. They never speak of the account, only of the connection. */
const CLIENT_CODES: ReadonlyMap<number, Verdict> = new Map([
  [408, retry("TIMEOUT")], // keep-alive or query unanswered
  [411, unrecoverable("MULTIDEVICE_MISMATCH")], // WhatsApp asks for the time before linked devices
  [428, retry("NETWORK")],
]);

/** The operating system's errors that mean "no answer"; every other one means "no way through". */
const TIMEOUT_ERRNOS: ReadonlySet<string> = new Set(["ETIMEDOUT", "ESOCKETTIMEDOUT"]);

/** The verdict on a socket's end. Total: whatever comes, there is one. */
export function judge(cause: DisconnectCause): Verdict {
  switch (cause.origin) {
    case "whatsapp":
      return WHATSAPP_CODES.get(cause.code) ?? retry("UNKNOWN");
    case "client":
      return CLIENT_CODES.get(cause.code) ?? retry("UNKNOWN");
    case "network":
      // An HTTP status here comes from a proxy or from WhatsApp's edge. A 401 or 403 among them says
      // nothing about the login, so it must never cost the credentials.
      return retry(cause.errno !== undefined && TIMEOUT_ERRNOS.has(cause.errno) ? "TIMEOUT" : "NETWORK");
    case "worker":
      return retry("UNKNOWN");
    default:
      return cause satisfies never;
  }
}
