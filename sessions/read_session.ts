/**
 * A session's state: from memory where this process acts for it, from the store
 * otherwise. Both give the same answer.
 * @module
 */
import { qrAnswer } from "../domain/answer.ts";
import { SessionManagerError } from "../domain/errors.ts";
import { atRest, type Policy, type SessionSnapshot } from "../domain/snapshot.ts";
import type { MaybePromise, SessionStore, StoredOutline } from "./ports/store.ts";
import type { Instant, Session } from "../domain/session.ts";
import { transition } from "../domain/transition.ts";
import type { QrView, SessionView } from "@session-manager/contract";
import { viewQr, viewSession } from "../domain/view.ts";
import type { Clock } from "../runtime/clock.ts";
import { foreignRow, fromStore, RETRY_AFTER_SECONDS } from "./remote_owner.ts";
import type { Supervisor } from "./supervisor.ts";

/** What reading a session's state needs. */
export interface SessionReaderOptions {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly policy: Policy;
}

/** Reads sessions: from memory where a supervisor has them, otherwise from the store. */
export class SessionReader {
  readonly #options: SessionReaderOptions;

  constructor(options: SessionReaderOptions) {
    this.#options = options;
  }

  /** @throws {SessionManagerError} `SESSION_MANAGER_ERROR` while a change of it waits for the store */
  supervised(supervisor: Supervisor): SessionView {
    if (supervisor.isStalled) {
      throw new SessionManagerError("SESSION_MANAGER_ERROR", { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    const now = this.#options.clock.now();
    const { snapshot } = supervisor;
    return viewSession(supervisor.isResuming ? this.#settled(snapshot, now) : snapshot.session, now);
  }

  /**
   * What the store holds, less what cannot be true any more when the session's owner is gone.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  stored(instanceId: string): MaybePromise<SessionView> {
    const outline = this.#options.store.outline(instanceId);
    return outline instanceof Promise
      ? fromStore(async () => await this.#view(instanceId, await outline))
      : this.#view(instanceId, outline);
  }

  #view(instanceId: string, outline: StoredOutline | null): MaybePromise<SessionView> {
    if (outline === null) throw new SessionManagerError("SESSION_NOT_FOUND");
    return outline.isOrphan ? this.whole(instanceId) : viewSession(outline, this.#options.clock.now());
  }

  /**
   * The same by the whole row: a session without an owner is shown as its next owner will settle it.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  async whole(instanceId: string): Promise<SessionView> {
    const { clock, store } = this.#options;
    const stored = await fromStore(() => store.find(instanceId));
    if (stored === null) throw new SessionManagerError("SESSION_NOT_FOUND");
    if (stored.foreign !== undefined) throw foreignRow(stored.foreign);
    const { session, link, isOrphan } = stored;
    const now = clock.now();
    if (!isOrphan) return viewSession(session, now);
    return viewSession(this.#settled(atRest(session, link), now), now);
  }

  /** The session as its next owner settles it. */
  #settled(snapshot: SessionSnapshot, now: Instant): Session {
    const { clock, policy } = this.#options;
    const at = { now, steady: clock.steady(), random: 0, tearingDown: false, retiredId: "", policy };
    return transition(snapshot, { type: "restored" }, at).snapshot.session;
  }

  /** The valid QR in memory, if there is one that nothing speaks against. */
  supervisedQr(supervisor: Supervisor): QrView | null {
    if (supervisor.isStalled || supervisor.isAbandoned) return null;
    const answer = qrAnswer(supervisor.snapshot, this.#options.clock.now());
    return answer.kind === "qr" ? viewQr(answer.qr) : null;
  }

  /**
   * The valid QR that the store holds, if there is one.
   * @throws {SessionManagerError} `SESSION_ALREADY_CONNECTED`
   */
  async storedQr(instanceId: string): Promise<QrView | null> {
    const stored = await this.#options.store.find(instanceId);
    if (stored === null || stored.isOrphan || stored.foreign !== undefined) return null;
    const answer = qrAnswer(atRest(stored.session, stored.link), this.#options.clock.now());
    if (answer.kind === "already_connected") throw new SessionManagerError("SESSION_ALREADY_CONNECTED");
    return answer.kind === "qr" ? viewQr(answer.qr) : null;
  }
}
