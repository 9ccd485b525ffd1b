/**
 * What a call for a QR is answered, read off the session's snapshot. Reading decides nothing.
 *
 * Source: decisions, "The QR".
 * @module
 */
import type { SessionSnapshot } from "./snapshot.ts";
import { isValid } from "./qr.ts";
import type { GeneratedQr, Instant } from "./session.ts";

/** The answer to `POST /sessions/:instance_id/qr` at a given moment. */
export type QrAnswer =
  /** Here it is. */
  | { readonly kind: "qr"; readonly qr: GeneratedQr }
  /** 409: nothing to scan. */
  | { readonly kind: "already_connected" }
  /** A pairing socket is at work; its next QR is worth waiting for. */
  | { readonly kind: "pending" }
  /** No socket is at work: one has to be asked for, or the one asked for has failed. */
  | { readonly kind: "none" };

/** Reads the answer off a snapshot at `now`. */
export function qrAnswer({ session, pairing }: SessionSnapshot, now: Instant): QrAnswer {
  if (session.status === "connecting" || session.status === "connected") return { kind: "already_connected" };
  if (isValid(session.qr, now)) return { kind: "qr", qr: session.qr };
  return pairing.kind === "showing" ? { kind: "pending" } : { kind: "none" };
}
