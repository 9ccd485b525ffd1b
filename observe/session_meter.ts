/**
 * What a session's changes count for.
 * @module
 */
import type { Life } from "../domain/life.ts";
import type { Metrics } from "./metrics.ts";

/** Counts changes of sessions as they become visible. */
export class SessionMeter {
  readonly #metrics: Metrics;
  readonly #now: () => number;
  /** When each session's pairing socket was opened, until its first QR; milliseconds. */
  readonly #askedAt = new Map<string, number>();

  /** @param now milliseconds */
  constructor(metrics: Metrics, now: () => number) {
    this.#metrics = metrics;
    this.#now = now;
  }

  observe(before: Life, after: Life): void {
    this.#observeQr(before, after);
    this.#observeConnection(before, after);
  }

  #observeQr(before: Life, after: Life): void {
    const { qrGenerated, qrExpired, qrScanned, pairings, timeToQr } = this.#metrics;
    const { instanceId, qr } = after.session;
    const past = before.session.qr;
    const isNew = qr.status === "generated" &&
      (past.status !== "generated" || past.generatedAt !== qr.generatedAt);
    if (isNew) {
      qrGenerated.inc();
      const askedAt = this.#askedAt.get(instanceId);
      if (askedAt !== undefined) timeToQr.observe((qr.generatedAt - askedAt) / 1_000);
    }
    if (past.status === "generated" && qr.status === "expired") qrExpired.inc();
    const wasPairing = before.activity.kind === "pairing";
    const isPairing = after.activity.kind === "pairing";
    if (isPairing && !wasPairing) this.#askedAt.set(instanceId, this.#now());
    if (isNew || !isPairing) this.#askedAt.delete(instanceId);
    if (!wasPairing || isPairing) return;
    const isPaired = after.activity.kind === "paired";
    if (isPaired) pairings.inc();
    if (isPaired || after.session.lastError?.code === "PASSKEY_REQUIRED") qrScanned.inc();
  }

  #observeConnection(before: Life, after: Life): void {
    const { loginAttempts, disconnects } = this.#metrics;
    if (after.activity.kind === "login" && before.activity !== after.activity) loginAttempts.inc();
    const { status, lastError } = after.session;
    const isDown = status === "disconnected" || status === "error";
    const wasSo = before.session.status === status && before.session.lastError?.code === lastError?.code;
    if (isDown && !wasSo) disconnects.inc({ code: lastError.code });
  }
}
