/**
 * Unlinks, at WhatsApp, the devices of logins that were replaced or given up, so that none is left on the phone. Each
 * is tried on a connection of its own, until WhatsApp confirms it or knows no such device.
 *
 * Source: decisions, "The QR": at most every 30 s while WhatsApp answers, 60 s otherwise; given up after 30 days.
 * @module
 */
import type { DisconnectCause } from "../domain/disconnect.ts";
import {
  CredentialsUnreadableError,
  type RetiredLogin,
  type RetiredLoginStore,
  StoreUnavailableError,
} from "./ports/store.ts";
import { type Clock, pause } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Logins } from "./logins.ts";
import type { ClosedConnection, Socket, SocketLayer } from "./ports/sockets.ts";

/** All in milliseconds, but for `leastAttempts` and `concurrent`. */
export interface UnlinkerBounds {
  /** How often logins that wait are looked for. */
  readonly lookMs: number;
  /** From one attempt to the next while WhatsApp answers. */
  readonly answeredPauseMs: number;
  /** From one attempt to the next while it does not. */
  readonly unansweredPauseMs: number;
  /** How long after its retirement a login is given up. */
  readonly giveUpMs: number;
  /** How often it is tried before that, at least: a clock that is set forward by months is no reason. */
  readonly leastAttempts: number;
  /** How many attempts are made at the same time. */
  readonly concurrent: number;
}

/** The product's own bounds. Source: decisions, "The QR". */
export const UNLINKER_BOUNDS: UnlinkerBounds = {
  lookMs: 5_000,
  answeredPauseMs: 30_000,
  unansweredPauseMs: 60_000,
  giveUpMs: 30 * 24 * 3_600_000,
  leastAttempts: 1_000,
  concurrent: 2,
};

/** What came of an attempt, or of giving up. */
export type UnlinkOutcome = "unlinked" | "failed" | "contested" | "unreadable" | "given_up";

/** Every outcome, so that each is counted from 0. */
export const UNLINK_OUTCOMES: readonly UnlinkOutcome[] = [
  "unlinked",
  "failed",
  "contested",
  "unreadable",
  "given_up",
];

/** What unlinking needs; `onOutcome` is called after every attempt. */
export interface UnlinkerOptions {
  readonly store: RetiredLoginStore;
  readonly sockets: SocketLayer;
  readonly logins: Logins;
  readonly clock: Clock;
  readonly log: Log;
  readonly bounds?: Partial<UnlinkerBounds>;
  readonly onOutcome?: (outcome: UnlinkOutcome) => void;
}

/** A login that is being retired, and must not be connected with before its own connection is down. */
export interface Retirement {
  /** It is retired; `gone` resolves once its last connection is down. */
  retired(gone: Promise<ClosedConnection>): void;
  /** It is not retired after all. */
  cancel(): void;
}

/** Unlinks retired logins at WhatsApp in the background, until it is stopped. */
export class Unlinker {
  readonly #options: UnlinkerOptions;
  readonly #bounds: UnlinkerBounds;
  readonly #stopping = new AbortController();
  /** Logins that this replica is retiring or unlinking now. */
  readonly #busy = new Set<string>();
  readonly #sockets = new Set<Socket>();
  readonly #running = new Set<Promise<void>>();
  /** Those that wait for one of the concurrent attempts to end. */
  readonly #queue: (() => void)[] = [];
  #attempts = 0;

  constructor(options: UnlinkerOptions) {
    this.#options = options;
    this.#bounds = { ...UNLINKER_BOUNDS, ...options.bounds };
  }

  /** Looks for logins that wait, now and at regular intervals. */
  start(): void {
    this.#track(this.#lookForEver());
  }

  /** Ends every attempt; resolves once no connection of any is left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const socket of this.#sockets) socket.close({ unlink: false });
    for (const proceed of this.#queue.splice(0)) proceed();
    await Promise.all(this.#running);
  }

  /** Announces that this login is about to be retired, before it is written. */
  expect(id: string): Retirement {
    this.#busy.add(id);
    return {
      retired: (gone) => this.#track(this.#onRetired(id, gone)),
      cancel: () => void this.#busy.delete(id),
    };
  }

  #track(work: Promise<void>): void {
    const running = work.finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  async #onRetired(id: string, gone: Promise<ClosedConnection>): Promise<void> {
    const { store } = this.#options;
    try {
      const { unlinked } = await gone;
      if (unlinked) return await this.#settle(id, "unlinked");
      const login = await store.findRetiredLogin(id);
      if (login !== null) await this.#attempt(login);
    } catch (error) {
      this.#onError(error); // found again when it is looked for
    } finally {
      this.#busy.delete(id);
    }
  }

  async #lookForEver(): Promise<void> {
    const { clock, store } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        for (const login of await store.dueRetiredLogins(LOOK_LIMIT)) {
          if (this.#busy.has(login.id)) continue;
          this.#busy.add(login.id);
          this.#track(
            this.#attempt(login).catch((error) => this.#onError(error))
              .finally(() => this.#busy.delete(login.id)),
          );
        }
      } catch (error) {
        this.#onError(error);
      }
      await pause(clock, this.#bounds.lookMs, signal);
    }
  }

  /** Without the database there is nothing to do but to look again. */
  #onError(error: unknown): void {
    if (error instanceof StoreUnavailableError) return;
    this.#options.log.error({ event: "unlinking_failed", err: error });
  }

  // ── One attempt ────────────────────────────────────────────────────────────────────────────────

  async #attempt(login: RetiredLogin): Promise<void> {
    await this.#turn();
    try {
      if (this.#stopping.signal.aborted) return;
      await this.#unlink(login);
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#attempts--;
      else next();
    }
  }

  /** Waits until one of the concurrent attempts may be made. */
  async #turn(): Promise<void> {
    if (this.#attempts < this.#bounds.concurrent) return void this.#attempts++;
    await new Promise<void>((resolve) => this.#queue.push(resolve));
  }

  async #unlink(login: RetiredLogin): Promise<void> {
    const { store, clock } = this.#options;
    const { unansweredPauseMs, answeredPauseMs, giveUpMs, leastAttempts } = this.#bounds;
    if (login.attempts >= leastAttempts && clock.now() - login.retiredAt > giveUpMs) {
      return await this.#settle(login.id, "given_up");
    }
    if (!await store.claimRetiredLogin(login, unansweredPauseMs)) return;
    const credentials = await this.#load(login);
    if (credentials === null) return;
    const { unlinked, contested, cause } = await this.#connect(credentials);
    if (unlinked) return await this.#settle(login.id, "unlinked");
    if (contested) return await this.#settle(login.id, "contested");
    this.#tell(login.id, "failed");
    if (cause?.origin === "whatsapp") await store.postponeRetiredLogin(login.id, answeredPauseMs);
  }

  async #load({ id }: RetiredLogin): Promise<string | null> {
    try {
      return await this.#options.store.loadRetiredLogin(id);
    } catch (error) {
      if (!(error instanceof CredentialsUnreadableError)) throw error;
      this.#tell(id, "unreadable");
      return null;
    }
  }

  async #connect(
    credentials: string,
  ): Promise<ClosedConnection & { contested: boolean; cause: DisconnectCause | null }> {
    const { sockets, logins } = this.#options;
    let contested = false;
    let cause: DisconnectCause | null = null;
    const socket = sockets.open({ kind: "unlink", credentials }, {
      onEvent: (event) => {
        if (event.type === "closed") cause = event.cause;
        // A session of this process goes on with this very login: rows that were copied, say.
        if (event.type !== "identified" || !logins.isUsed(event.jid)) return;
        contested = true;
        socket.close({ unlink: false });
      },
      onRequest: () => Promise.reject(new Error("A socket for unlinking stores nothing.")),
    });
    this.#sockets.add(socket);
    try {
      const { unlinked } = await socket.gone;
      return { unlinked: unlinked && !contested, contested, cause };
    } finally {
      this.#sockets.delete(socket);
    }
  }

  async #settle(id: string, outcome: UnlinkOutcome): Promise<void> {
    await this.#options.store.forgetRetiredLogin(id);
    this.#tell(id, outcome);
  }

  #tell(id: string, outcome: UnlinkOutcome): void {
    const isSettled = outcome === "unlinked" || outcome === "contested";
    this.#options.log[isSettled ? "info" : "warn"]({ event: "login_unlink", retired_login: id, outcome });
    this.#options.onOutcome?.(outcome);
  }
}

/** How many logins one look takes in. */
const LOOK_LIMIT = 20;
