/**
 * What the routes call: instance → supervisor. Sessions for which something is going on are answered
 * from memory, the others from the store; both give the same answer.
 * @module
 */
import { qrAnswer } from "../domain/answer.ts";
import { SessionManagerError } from "../domain/errors.ts";
import type { SessionEvent } from "../domain/events.ts";
import type { Errand } from "./ports/ownership.ts";
import { FencedError } from "./ports/store.ts";
import { activityOf, type Life } from "../domain/life.ts";
import type { DisconnectReason } from "@session-manager/contract";
import type { Soon } from "./ports/store.ts";
import type { QrView, SessionView } from "@session-manager/contract";
import { viewQr } from "../domain/view.ts";
import { ALONE, type Ownership } from "./ports/ownership.ts";
import type { PairingSlot, PairingSlots } from "./pairing_slots.ts";
import { askOwner, fromStore, pursue, RETRY_AFTER_SECONDS } from "./remote_owner.ts";
import { Reading } from "./reading.ts";
import { withoutForeign } from "./foreign_rows.ts";
import { type Elsewhere, Roster, type RosterOptions } from "./registry.ts";
import { Supervisor } from "./supervisor.ts";
import { traced } from "../runtime/tracing.ts";

/** A change of a session, once it is durable. */
export interface Change {
  readonly before: Life;
  readonly after: Life;
}

export interface ManagerOptions extends Omit<RosterOptions, "onChange"> {
  /** How long `requestQr` waits for a QR, in milliseconds. */
  readonly qrWaitMs: number;
  readonly pairingSlots: PairingSlots;
}

/** How long the owner of a session may take for a word from a trusted part of the system, in milliseconds. */
const REPORT_WAIT_MS = 10_000;
/** How much longer than a QR may take its owner is waited for, in milliseconds. */
const ERRAND_MS = 2_000;

export class SessionManager {
  readonly #options: ManagerOptions;
  readonly #ownership: Ownership;
  readonly #roster: Roster;
  readonly #reading: Reading;
  readonly #listeners = new Set<(change: Change) => void>();
  #stopping = false;

  constructor(options: ManagerOptions) {
    this.#options = options;
    this.#ownership = options.ownership ?? ALONE;
    this.#reading = new Reading(options);
    this.#roster = new Roster({ ...options, onChange: (before, after) => this.#announce(before, after) });
  }

  /**
   * Settles what the last run left behind, and brings every session with a working login back. One that the
   * store refuses for now comes back once the store does; the others do not wait for it.
   * @throws the store's error when it cannot tell which sessions there are
   */
  async start(): Promise<void> {
    const { store, clock, log } = this.#options;
    // In another order every time, so that those at the end of the table are not always the last to be back.
    const unsettled = withoutForeign(await store.listUnsettled(), log)
      .map((stored) => ({ stored, place: clock.random() }))
      .sort((one, other) => one.place - other.place)
      .map(({ stored }) => stored);
    await Promise.all(
      unsettled.map((stored) =>
        this.#roster.bringBack(stored.session.instanceId, () => Promise.resolve(stored))
      ),
    );
  }

  /**
   * Brings these sessions back that another replica has left, those that nobody has taken by now. One that the
   * store refuses for now comes back once the store does.
   */
  async takeUp(instanceIds: readonly string[]): Promise<void> {
    const { store } = this.#options;
    await Promise.allSettled(instanceIds.map((id) => this.#roster.bringBack(id, () => store.find(id))));
  }

  /**
   * Gives up so many sessions for other replicas to take.
   * @returns how many it were
   */
  handOver(count: number): Promise<number> {
    return this.#roster.handOver(count);
  }

  /** Lets go of every session at once, without a write; resolves once every connection is down. */
  abandonAll(): Promise<void> {
    return this.#roster.abandonAll();
  }

  /**
   * Does for another replica what it was asked for.
   * @returns what came of it: `done`, or the code of the error
   */
  async runErrand(instanceId: string, errand: Errand): Promise<string> {
    try {
      switch (errand.type) {
        case "qr_requested":
          await this.requestQr(instanceId);
          break;
        case "connected":
          await this.reportConnected(instanceId, errand.phoneNumber);
          break;
        case "disconnected":
          await this.reportDisconnected(instanceId, errand.reason);
          break;
        default:
          errand satisfies never;
      }
      return "done";
    } catch (error) {
      if (error instanceof SessionManagerError) return error.code;
      throw error;
    }
  }

  /** Closes every socket without unlinking, and ends every call that waits for a QR. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#roster.stop();
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
    return this.#roster.find(instanceId)?.heardAt ?? null;
  }

  /** How many sessions have a change that waits for the store. */
  get stalled(): number {
    return this.#roster.stalled;
  }

  /** Whether this session is supervised at the moment. */
  isSupervised(instanceId: string): boolean {
    return this.#roster.has(instanceId);
  }

  /** How many sessions are supervised at the moment. */
  get supervised(): number {
    return this.#roster.size;
  }

  /**
   * The session as it is; at once where it is in memory, or in a store that answers at once.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  read(instanceId: string): Soon<SessionView> {
    const supervisor = this.#roster.find(instanceId);
    return supervisor === null ? this.#reading.stored(instanceId) : this.#reading.supervised(supervisor);
  }

  /**
   * The session's valid QR, at once where one is shown, or a new one. Any number of concurrent calls share one
   * socket and one QR.
   * @throws {SessionManagerError} `SESSION_ALREADY_CONNECTED`, `QR_GENERATION_FAILED`
   */
  requestQr(instanceId: string): Soon<QrView> {
    // Looked for first: a deadline, a span and a turn for nothing to wait for take 30 µs.
    const supervisor = this.#roster.find(instanceId);
    const shown = supervisor === null ? null : this.#reading.supervisedQr(supervisor);
    return shown ?? this.#makeQr(instanceId);
  }

  async #makeQr(instanceId: string): Promise<QrView> {
    const { clock, qrWaitMs } = this.#options;
    const pairing = new PairingRequest(this.#options.pairingSlots, clock.steady() + qrWaitMs);
    try {
      const attempt = () => this.#pairWith(instanceId, pairing);
      return await fromStore(() => pursue<QrView>(attempt), "QR_GENERATION_FAILED");
    } finally {
      pairing.end();
    }
  }

  /** Null when the session was met on its way, or was just not there yet. */
  async #pairWith(instanceId: string, pairing: PairingRequest): Promise<QrView | null> {
    const { clock, store } = this.#options;
    const pair = (holder: Supervisor | Elsewhere | null) =>
      holder === null
        ? null
        : holder instanceof Supervisor
        ? traced("session obtain_qr", instanceId, () => this.#obtainQr(holder, pairing))
        : this.#obtainQrFrom(holder, instanceId);
    const known = await this.#roster.using(instanceId, () => store.find(instanceId), pair);
    if (known !== null) return known;
    // A row is made only for a session that may pair now.
    pairing.reserve();
    const create = () => store.findOrCreate(instanceId, clock.now());
    return await this.#roster.using(instanceId, create, pair);
  }

  /**
   * A trusted part of the system says that the session is connected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportConnected(instanceId: string, phoneNumber: string): Promise<SessionView> {
    return this.#report(
      instanceId,
      { type: "connected", phoneNumber, source: "internal" },
      { type: "connected", phoneNumber },
    );
  }

  /**
   * A trusted part of the system says that the session is disconnected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportDisconnected(instanceId: string, reason: DisconnectReason): Promise<SessionView> {
    const event = { type: "disconnected", reason } as const;
    return this.#report(instanceId, event, event);
  }

  async #report(instanceId: string, event: SessionEvent, errand: Errand): Promise<SessionView> {
    const find = () => this.#options.store.find(instanceId);
    const attempt = () =>
      this.#roster.using(instanceId, find, async (holder) => {
        if (holder === null) throw new SessionManagerError("SESSION_NOT_FOUND");
        if (holder instanceof Supervisor) {
          await holder.submit(event);
          return this.#reading.supervised(holder);
        }
        const isDone = await askOwner(
          this.#ownership,
          holder,
          instanceId,
          errand,
          REPORT_WAIT_MS,
          "SESSION_MANAGER_ERROR",
        );
        return isDone ? await this.#reading.whole(instanceId) : null;
      });
    return await fromStore(() => pursue<SessionView>(attempt));
  }

  /** A QR of a session that another replica acts for; null when that one is gone. */
  async #obtainQrFrom(owner: Elsewhere, instanceId: string): Promise<QrView | null> {
    const { qrWaitMs } = this.#options;
    const shown = await this.#reading.storedQr(instanceId);
    if (shown !== null) return shown;
    const waitMs = qrWaitMs + ERRAND_MS;
    const isDone = await askOwner(
      this.#ownership,
      owner,
      instanceId,
      { type: "qr_requested" },
      waitMs,
      "QR_GENERATION_FAILED",
    );
    return isDone ? await this.#reading.storedQr(instanceId) : null;
  }

  async #obtainQr(supervisor: Supervisor, pairing: PairingRequest): Promise<QrView> {
    const { clock } = this.#options;
    const timeout = Promise.withResolvers<void>();
    const cancel = clock.after(pairing.deadline - clock.steady(), timeout.resolve);
    try {
      // One that has shown QRs may be about to run out, and then another one is asked for.
      const isNew = supervisor.life.session.qr.status !== "expired";
      for (let asked = false, waited = false;;) {
        // While a change waits for the store, the QR in memory may have lost its socket.
        if (supervisor.isStalled) await supervisor.unlessStalled(Promise.resolve());
        if (supervisor.isAbandoned) throw new FencedError(supervisor.instanceId);
        const { changed } = supervisor;
        const answer = qrAnswer(supervisor.life, clock.now());
        switch (answer.kind) {
          case "qr":
            return viewQr(answer.qr);
          case "already_connected":
            throw waited && isBackAtLogin(supervisor.life)
              ? new SessionManagerError("QR_GENERATION_FAILED")
              : new SessionManagerError("SESSION_ALREADY_CONNECTED");
          case "none":
            if (asked || (waited && isNew)) throw new SessionManagerError("QR_GENERATION_FAILED");
            asked = true;
            await supervisor.submit({ type: "qr_requested" }, pairing.handOver());
            break;
          case "pending":
            if (this.#stopping || clock.steady() >= pairing.deadline) {
              throw new SessionManagerError("QR_GENERATION_FAILED");
            }
            waited = true;
            await supervisor.unlessStalled(Promise.race([changed, timeout.promise]));
            break;
          default:
            answer satisfies never;
        }
      }
    } finally {
      cancel();
    }
  }

  #announce(before: Life, after: Life): void {
    const { session } = after;
    const code = session.lastError?.code;
    const level = session === before.session ? "debug" : "info";
    this.#options.log[level]({
      event: "session_changed",
      instance_id: session.instanceId,
      status: session.status,
      qr_status: session.qr.status,
      activity: activityOf(after),
      // Whether our own socket sees the link, or another part of the system has reported it.
      ...(session.status === "connected"
        ? { link: after.login.kind === "open" ? "observed" : "reported" }
        : {}),
      ...(code === undefined ? {} : { code }),
    });
    for (const listener of this.#listeners) listener({ before, after });
  }
}

/** Whether the pairing that was waited for is over, and the session is on its way back without it. */
function isBackAtLogin({ session, pairing }: Life): boolean {
  return session.status === "connecting" && pairing.kind === "none";
}

/** One call for a QR: until when it waits, and its right to open a pairing. */
class PairingRequest {
  readonly #slots: PairingSlots;
  /** Monotonic, in milliseconds. */
  readonly deadline: number;
  /** Reserved, and not handed over yet. */
  #slot: PairingSlot | null = null;

  constructor(slots: PairingSlots, deadline: number) {
    this.#slots = slots;
    this.deadline = deadline;
  }

  /** @throws {SessionManagerError} `TOO_MANY_REQUESTS` when as many pairings are open as may be */
  reserve(): void {
    this.#slot ??= this.#slots.take();
    if (this.#slot !== null) return;
    throw new SessionManagerError("TOO_MANY_REQUESTS", { retryAfterSeconds: RETRY_AFTER_SECONDS });
  }

  /**
   * Hands the right over to the supervisor that is asked for a pairing.
   * @throws {SessionManagerError} as {@link reserve}
   */
  handOver(): PairingSlot | undefined {
    this.reserve();
    const slot = this.#slot;
    this.#slot = null;
    return slot ?? undefined;
  }

  /** Gives back what was not needed. */
  end(): void {
    this.#slot?.free();
    this.#slot = null;
  }
}
