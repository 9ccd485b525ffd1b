/**
 * The bounds under which the chaos runs. What they bound is the product's own; only the minutes are shorter.
 * @module
 */
import type { Policy } from "../../domain/snapshot.ts";
import type { SocketSettings } from "../../whatsapp/protocol.ts";
import type { UnlinkerBounds } from "../../sessions/unlinker.ts";
import type { WatchOptions } from "../../whatsapp/worker_pool.ts";
import { HANG_MS as SABOTEUR_MS } from "../sabotage/sabotage.ts";
import type { LieBounds } from "./chaos_watch.ts";

/** Longer than any lie about a QR may last, or its own end would hide one. */
const QR_MS = 1_500;
/** WhatsApp gives a socket so many QRs. */
const QRS = 6;
/** How long a pause the product makes at most between two attempts to write, in milliseconds. */
const STORE_RETRY_MS = 5_000;
/** The time of one write, on a machine that does other things besides. */
const WRITE_MS = 1_000;
/** The same, and until every session has been asked after once more. */
const ROUND_MS = 2_000;

export const QR_WAIT_MS = 4_000;
/** How long after the database's return a call may still be told that it is gone. */
export const STORE_RETURN_MS = STORE_RETRY_MS + WRITE_MS;

export const POLICY = {
  qrLife: { firstMs: QR_MS, nextMs: QR_MS },
  nextQrMs: 1_000,
  restartMs: 1_500,
  loginMs: 5_000,
  stableMs: 500,
  backoff: { baseMs: 80, quickMs: 1_500, capMs: 1_500 },
} satisfies Partial<Policy>;

export const SOCKETS = {
  qrMs: QR_MS,
  keepAliveMs: 1_500,
  connectMs: 1_500,
  silenceMs: 4_000,
} satisfies Partial<SocketSettings>;

export const WATCH = {
  heartbeatMs: 250,
  hangMs: 3_000,
  // A saboteur that hangs lets go before that.
  unendedMs: SABOTEUR_MS + 2_000,
  unansweredLimit: 5,
} satisfies Partial<WatchOptions>;

/** How soon a login that waits to be unlinked is tried again, in milliseconds. */
export const UNLINKING = {
  lookMs: 250,
  answeredPauseMs: 500,
  unansweredPauseMs: 1_000,
} satisfies Partial<UnlinkerBounds>;

/** How long the pool waits at most before it replaces workers that do not last, in milliseconds. */
const WORKER_RESTART_MS = 30_000;
/** A worker that hangs is given up when its next heartbeat is overdue; one more for a busy machine. */
const HANG_MS = 2 * WATCH.heartbeatMs + WATCH.hangMs;

export const LIES: LieBounds = {
  connected: SOCKETS.silenceMs + WATCH.heartbeatMs + ROUND_MS,
  absent: SOCKETS.silenceMs + WATCH.heartbeatMs + ROUND_MS,
  qr: WRITE_MS,
  hangMs: HANG_MS,
  unendedMs: SABOTEUR_MS,
};

/** By when everything has to be what it ought to be: every deadline of the product, one after the other. */
export const SETTLE_MS = QRS * QR_MS + POLICY.nextQrMs + POLICY.restartMs + 2 * POLICY.loginMs +
  2 * POLICY.backoff.capMs + SOCKETS.silenceMs + HANG_MS + WATCH.unendedMs + STORE_RETURN_MS +
  WORKER_RESTART_MS;

/** The bounds as a reader wants them. */
export function describeBounds(): string {
  return `bounds in ms: login ${POLICY.loginMs}, restart ${POLICY.restartMs}, stable ${POLICY.stableMs}, ` +
    `backoff ${POLICY.backoff.baseMs} to ${POLICY.backoff.capMs}, QR ${QR_MS}, QR wait ${QR_WAIT_MS}, ` +
    `connect ${SOCKETS.connectMs}, keep-alive ${SOCKETS.keepAliveMs}, silence ${SOCKETS.silenceMs}, ` +
    `heartbeat ${WATCH.heartbeatMs}, hang ${WATCH.hangMs}\n` +
    `lies in ms: connected ${LIES.connected}, absent ${LIES.absent}, QR ${LIES.qr}; a worker that hangs meanwhile adds ${LIES.hangMs} (absent: ${LIES.unendedMs}); settled within ${SETTLE_MS}`;
}
