/**
 * What the routes call: instance → supervisor. Sessions for which something is going on are answered
 * from memory, the others from the store; both give the same answer.
 * @module
 */
import { qrAnswer } from "../domain/answer.ts";
import { SessionManagerError } from "../domain/errors.ts";
import type { SessionEvent } from "../domain/events.ts";
import { atRest, type Life } from "../domain/life.ts";
import type { DisconnectReason } from "../domain/names.ts";
import { type StoredSession, StoreUnavailableError } from "../domain/ports.ts";
import { type QrView, type SessionView, viewQr, viewSession } from "../domain/view.ts";
import { Logins } from "./logins.ts";
import { traced } from "./tracing.ts";
import { Supervisor, type Surroundings } from "./supervisor.ts";

/** A change of a session, once it is durable. */
export interface Change {
  readonly before: Life;
  readonly after: Life;
}

export interface ManagerOptions extends Omit<Surroundings, "logins" | "onChange" | "onIdle"> {
  /** How long `requestQr` waits for a QR, in milliseconds. */
  readonly qrWaitMs: number;
}

/** After how many seconds a call that the store could not serve is worth repeating. */
const RETRY_AFTER_SECONDS = 5;

/** A session's one supervisor, loaded or being loaded. */
interface Entry {
  readonly loading: Promise<Supervisor | null>;
  supervisor: Supervisor | null;
  /** Calls that hold the supervisor; while there are any, it stays the only one. */
  users: number;
}

export class SessionManager {
  readonly #options: ManagerOptions;
  readonly #surroundings: Surroundings;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(change: Change) => void>();
  #stopping = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#surroundings = {
      ...options,
      logins: new Logins(),
      onChange: (before, after) => this.#announce(before, after),
      onIdle: ({ instanceId }) => this.#dismiss(instanceId),
    };
  }

  /**
   * Settles what the last run left behind, and brings every session with a working login back. One that the
   * store refuses for now comes back once the store does; the others do not wait for it.
   * @throws the store's error when it cannot tell which sessions there are
   */
  async start(): Promise<void> {
    const { store, clock } = this.#options;
    // In another order every time, so that those at the end of the table are not always the last to be back.
    const unsettled = (await store.listUnsettled())
      .map((stored) => ({ stored, place: clock.random() }))
      .sort((one, other) => one.place - other.place)
      .map(({ stored }) => stored);
    await Promise.all(
      unsettled.map((stored) =>
        this.#using(stored.session.instanceId, () => Promise.resolve(stored), async (supervisor) => {
          await supervisor?.submit({ type: "restored" }).catch((error) => {
            if (!supervisor.isStalled) throw error;
          });
        })
      ),
    );
  }

  /** Closes every socket without unlinking, and ends every call that waits for a QR. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const stops = [...this.#entries.values()].map(async ({ loading }) => (await loading)?.stop());
    await Promise.allSettled(stops);
    this.#entries.clear();
  }

  /** Hears of every change from now on; the returned function ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * When this session last heard a word from WhatsApp, known to within a few seconds.
   * @returns milliseconds; null without a socket, and before the first word
   */
  heardAt(instanceId: string): number | null {
    return this.#entries.get(instanceId)?.supervisor?.heardAt ?? null;
  }

  /** How many sessions have a change that waits for the store. */
  get stalled(): number {
    let stalled = 0;
    for (const { supervisor } of this.#entries.values()) if (supervisor?.isStalled) stalled++;
    return stalled;
  }

  /** How many sessions are supervised at the moment. */
  get supervised(): number {
    return this.#entries.size;
  }

  /**
   * The session as it is.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  async read(instanceId: string): Promise<SessionView> {
    const supervisor = this.#entries.get(instanceId)?.supervisor;
    if (supervisor) return this.#view(supervisor);
    const stored = await this.#fromStore(() => this.#options.store.find(instanceId));
    if (stored === null) throw new SessionManagerError("SESSION_NOT_FOUND");
    return viewSession(stored.session, this.#options.clock.now());
  }

  /**
   * The session's valid QR, or a new one. Any number of concurrent calls share one socket and one QR.
   * @throws {SessionManagerError} `SESSION_ALREADY_CONNECTED`, `QR_GENERATION_FAILED`
   */
  async requestQr(instanceId: string): Promise<QrView> {
    const { clock, store } = this.#options;
    const create = () => store.findOrCreate(instanceId, clock.now());
    try {
      const answer = await this.#using(
        instanceId,
        create,
        (supervisor) =>
          supervisor && traced("session obtain_qr", instanceId, () => this.#obtainQr(supervisor)),
      );
      // Null when this call met another one that was just finding out that there is no such session.
      return answer ?? await this.requestQr(instanceId);
    } catch (error) {
      if (error instanceof SessionManagerError) throw error;
      throw new SessionManagerError("QR_GENERATION_FAILED", { cause: error, ...retryAfter(error) });
    }
  }

  /**
   * A trusted part of the system says that the session is connected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportConnected(instanceId: string, phoneNumber: string): Promise<SessionView> {
    return this.#report(instanceId, { type: "connected", phoneNumber, source: "internal" });
  }

  /**
   * A trusted part of the system says that the session is disconnected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportDisconnected(instanceId: string, reason: DisconnectReason): Promise<SessionView> {
    return this.#report(instanceId, { type: "disconnected", reason });
  }

  async #report(instanceId: string, event: SessionEvent): Promise<SessionView> {
    const find = () => this.#options.store.find(instanceId);
    return await this.#fromStore(() =>
      this.#using(instanceId, find, async (supervisor) => {
        if (supervisor === null) throw new SessionManagerError("SESSION_NOT_FOUND");
        await supervisor.submit(event);
        return this.#view(supervisor);
      })
    );
  }

  async #obtainQr(supervisor: Supervisor): Promise<QrView> {
    const { clock, qrWaitMs } = this.#options;
    const timeout = Promise.withResolvers<void>();
    const cancel = clock.after(qrWaitMs, timeout.resolve);
    const deadline = clock.now() + qrWaitMs;
    try {
      for (let asked = false;;) {
        // While a change waits for the store, the QR in memory may have lost its socket.
        if (supervisor.isStalled) await supervisor.stalled;
        const { changed } = supervisor;
        const answer = qrAnswer(supervisor.life, clock.now());
        switch (answer.kind) {
          case "qr":
            return viewQr(answer.qr);
          case "already_connected":
            throw new SessionManagerError("SESSION_ALREADY_CONNECTED");
          case "none":
            if (asked) throw new SessionManagerError("QR_GENERATION_FAILED");
            asked = true;
            await supervisor.submit({ type: "qr_requested" });
            break;
          case "pending":
            if (this.#stopping || clock.now() >= deadline) {
              throw new SessionManagerError("QR_GENERATION_FAILED");
            }
            await Promise.race([changed, timeout.promise, supervisor.stalled]);
            break;
          default:
            answer satisfies never;
        }
      }
    } finally {
      cancel();
    }
  }

  #view(supervisor: Supervisor): SessionView {
    if (supervisor.isStalled) {
      throw new SessionManagerError("SESSION_MANAGER_ERROR", { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    return viewSession(supervisor.life.session, this.#options.clock.now());
  }

  /** @throws {SessionManagerError} `SESSION_MANAGER_ERROR` for whatever the store throws */
  async #fromStore<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SessionManagerError) throw error;
      throw new SessionManagerError("SESSION_MANAGER_ERROR", { cause: error, ...retryAfter(error) });
    }
  }

  // ── Supervisors ────────────────────────────────────────────────────────────────────────────────

  /** Runs `work` with the session's one supervisor, or with null when there is no such session. */
  async #using<T>(
    instanceId: string,
    load: () => Promise<StoredSession | null>,
    work: (supervisor: Supervisor | null) => T,
  ): Promise<Awaited<T>> {
    const entry = this.#entries.get(instanceId) ?? this.#load(instanceId, load);
    entry.users++;
    try {
      return await work(await entry.loading);
    } finally {
      entry.users--;
      this.#dismiss(instanceId);
    }
  }

  #load(instanceId: string, load: () => Promise<StoredSession | null>): Entry {
    const supervise = async () => {
      if (this.#stopping) throw new StoreUnavailableError(new Error("The service is stopping."));
      try {
        const stored = await load();
        entry.supervisor = stored && new Supervisor(atRest(stored.session, stored.link), this.#surroundings);
        return entry.supervisor;
      } finally {
        if (entry.supervisor === null) this.#entries.delete(instanceId);
      }
    };
    const entry: Entry = { loading: Promise.resolve().then(supervise), supervisor: null, users: 0 };
    this.#entries.set(instanceId, entry);
    return entry;
  }

  /** Leaves a session to the store once nobody needs its supervisor. */
  #dismiss(instanceId: string): void {
    const entry = this.#entries.get(instanceId);
    if (entry?.supervisor?.isIdle && entry.users === 0) this.#entries.delete(instanceId);
  }

  #announce(before: Life, after: Life): void {
    const { session, activity } = after;
    const code = session.lastError?.code;
    const level = session === before.session ? "debug" : "info";
    this.#options.log[level]({
      event: "session_changed",
      instance_id: session.instanceId,
      status: session.status,
      qr_status: session.qr.status,
      activity: activity.kind,
      ...(code === undefined ? {} : { code }),
    });
    for (const listener of this.#listeners) listener({ before, after });
  }
}

function retryAfter(error: unknown): { retryAfterSeconds?: number } {
  return error instanceof StoreUnavailableError ? { retryAfterSeconds: RETRY_AFTER_SECONDS } : {};
}
