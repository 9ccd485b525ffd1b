/**
 * What a session's changes count for.
 * @module
 */
import { isPairing, type SessionSnapshot } from "../domain/snapshot.ts";
import type { Metrics } from "./metrics.ts";

/** Counts changes of sessions as they become visible. */
export class SessionMeter {
  readonly #metrics: Metrics;
  readonly #steady: () => number;
  /** When each session's pairing socket was opened, until its first QR; milliseconds. */
  readonly #askedAt = new Map<string, number>();

  /** @param steady monotonic time in milliseconds */
  constructor(metrics: Metrics, steady: () => number) {
    this.#metrics = metrics;
    this.#steady = steady;
  }

  observe(before: SessionSnapshot, after: SessionSnapshot): void {
    this.#observeQr(before, after);
    this.#observeConnection(before, after);
  }

  #observeQr(before: SessionSnapshot, after: SessionSnapshot): void {
    const { qrGenerated, qrExpired, qrScanned, pairings, timeToQr } = this.#metrics;
    const { instanceId, qr } = after.session;
    const past = before.session.qr;
    const isNew = qr.status === "generated" &&
      (past.status !== "generated" || past.generatedAt !== qr.generatedAt);
    if (isNew) {
      qrGenerated.inc();
      const askedAt = this.#askedAt.get(instanceId);
      if (askedAt !== undefined) timeToQr.observe((this.#steady() - askedAt) / 1_000);
    }
    if (past.status === "generated" && qr.status === "expired") qrExpired.inc();
    const wasShowing = isPairing(before);
    const isShowing = isPairing(after);
    if (isShowing && !wasShowing) this.#askedAt.set(instanceId, this.#steady());
    if (isNew || !isShowing) this.#askedAt.delete(instanceId);
    if (!wasShowing || isShowing) return;
    const isPaired = after.pairing.kind === "paired";
    if (isPaired) pairings.inc();
    if (isPaired || after.session.lastError?.code === "PASSKEY_REQUIRED") qrScanned.inc();
  }

  #observeConnection(before: SessionSnapshot, after: SessionSnapshot): void {
    const { loginAttempts, disconnects, reportedLinks } = this.#metrics;
    if (after.login.kind === "login" && before.login !== after.login) loginAttempts.inc();
    const { status, lastError } = after.session;
    if (status === "connected" && before.session.status !== status && after.login.kind !== "open") {
      reportedLinks.inc();
    }
    const isDown = status === "disconnected" || status === "error";
    const wasSo = before.session.status === status && before.session.lastError?.code === lastError?.code;
    if (isDown && !wasSo) disconnects.inc({ code: lastError.code });
  }
}
