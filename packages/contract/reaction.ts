/**
 * The Hub's reaction table, exported for clients: a status is looked up, never interpreted.
 *
 * Source: `contrato-tecnico`, "Tabla de reacción esperada (Central Hub)".
 * @module
 */
import type { SessionStatus } from "./names.ts";

/** What the Hub may do. */
export type Reaction =
  | "request_qr"
  | "show_qr"
  | "wait"
  | "enable_sending"
  | "block_sending"
  | "block_sending_and_alert";

/** What each status lets the Hub do. */
export const REACTIONS: Readonly<Record<SessionStatus, Reaction>> = Object.freeze({
  init: "request_qr",
  qr_required: "show_qr",
  connecting: "wait",
  connected: "enable_sending",
  disconnected: "block_sending",
  error: "block_sending_and_alert",
});

/** What the Hub does on seeing `status`. */
export function reactionTo(status: SessionStatus): Reaction {
  return REACTIONS[status];
}
