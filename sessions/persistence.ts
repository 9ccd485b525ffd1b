/**
 * Writing that does not give up while the store is away. A session's changes wait for the store and reach it in order; while
 * they wait, it is known that what is visible is not the whole truth.
 * @module
 */
import {
  CredentialsUnreadableError,
  FencedError,
  SessionMissingError,
  StoreUnavailableError,
} from "./ports/store.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";

/** Bounds of the pause between two attempts, in milliseconds. */
const RETRY_MS = { first: 100, cap: 5_000 };
/** How long a caller waits for the store before the work counts as stalled, in milliseconds. */
const PATIENCE_MS = 2_500;

/** What the store may say of one session, without anything being wrong with it. */
const EXPECTED = [CredentialsUnreadableError, FencedError, SessionMissingError];

/** How patient a session's writes are. */
export interface PersistenceOptions {
  /** How long the store may take before callers are told so; the work itself is given its time. In milliseconds. */
  readonly patienceMs?: number | undefined;
  /**
   * Carried out before a piece of work is done again. Nobody knows whether the store has carried it out, or will some
   * time: here it is seen to that it does not do so any more once it has been done again.
   */
  readonly beforeRetry?: () => Promise<void>;
}

/** The writes of one session, in order, each repeated until the store has taken it. */
export class Persistence {
  readonly #instanceId: string;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #signal: AbortSignal;
  readonly #patienceMs: number;
  readonly #beforeRetry: () => Promise<void>;
  /** What the store has refused with, while something waits. */
  #refusal: unknown = null;
  /** Those who wait for a piece of work, but not for the store. */
  readonly #waiting = new Set<(error: unknown) => void>();
  #isStalled = false;

  constructor(
    instanceId: string,
    clock: Clock,
    log: Log,
    signal: AbortSignal,
    { patienceMs = PATIENCE_MS, beforeRetry = () => Promise.resolve() }: PersistenceOptions = {},
  ) {
    this.#instanceId = instanceId;
    this.#clock = clock;
    this.#log = log;
    this.#signal = signal;
    this.#patienceMs = patienceMs;
    this.#beforeRetry = beforeRetry;
  }

  /** Whether something waits that the store has refused so far. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /**
   * Waits for `work`, but not once anything has to wait for the store. Nothing is left of a call that is over: a race
   * against one promise that hardly ever settles would keep a trace of each for as long as the session lives.
   * @throws the store's error, immediately where something waits already; `work` goes on
   */
  async unlessStalled<T>(work: Promise<T>): Promise<T> {
    const stalled = Promise.withResolvers<never>();
    if (this.#isStalled) stalled.reject(this.#refusal);
    this.#waiting.add(stalled.reject);
    try {
      return await Promise.race([stalled.promise, work]);
    } finally {
      this.#waiting.delete(stalled.reject);
    }
  }

  /**
   * Carries out one atomic, repeatable piece of work on the store, again and again while the store cannot be reached
   * or refuses for now. One that tells when it will be back is left alone until then.
   * @throws {CredentialsUnreadableError} which no repetition would mend
   * @throws {FencedError} likewise
   * @throws {SessionMissingError} likewise
   * @throws whatever else the work throws, which it would throw every time; it is logged
   * @throws {StoreUnavailableError} once the signal has aborted
   */
  async retryUntilStored<T>(work: () => Promise<T>): Promise<T> {
    let isRetry = false;
    for (let ms = RETRY_MS.first;; ms = Math.min(ms * 2, RETRY_MS.cap)) {
      const callOff = this.#clock.after(
        this.#patienceMs,
        () => this.#stop(new StoreUnavailableError(new Error("The database takes its time."))),
      );
      try {
        if (isRetry) await this.#beforeRetry();
        const result = await work();
        this.#resume();
        return result;
      } catch (error) {
        if (!(error instanceof StoreUnavailableError)) throw this.#failed(error);
        if (this.#signal.aborted) throw error;
        this.#stop(error);
        callOff();
        if (error.recovery === null) await pause(this.#clock, ms, this.#signal);
        else await settled(error.recovery, this.#signal);
      } finally {
        callOff();
      }
      isRetry = true;
    }
  }

  /** The store has answered, be it that it does not take this: nothing waits for it any more. */
  #failed(error: unknown): unknown {
    this.#resume();
    if (!EXPECTED.some((kind) => error instanceof kind)) {
      this.#log.error({ event: "store_refused", instance_id: this.#instanceId, err: error });
    }
    return error;
  }

  #stop(error: unknown): void {
    if (this.#isStalled) return;
    this.#isStalled = true;
    this.#refusal = error;
    for (const reject of this.#waiting) reject(error);
    this.#log.error({ event: "store_unavailable", instance_id: this.#instanceId, err: error });
  }

  #resume(): void {
    if (!this.#isStalled) return;
    this.#isStalled = false;
    this.#refusal = null;
    this.#log.info({ event: "store_available", instance_id: this.#instanceId });
  }
}

/** Resolves with the promise, or as soon as the signal aborts. */
function settled(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    void promise.then(done, done);
    if (signal.aborted) done();
  });
}
