/**
 * What the routes call: instance → supervisor. Sessions for which something is going on are answered
 * from memory, the others from the store; both give the same answer.
 * @module
 */
import type { DisconnectReason, QrView, SessionView } from "@session-manager/contract";
import { SessionManagerError } from "../domain/errors.ts";
import { activityOf, type SessionSnapshot } from "../domain/snapshot.ts";
import { withoutForeign } from "./foreign_rows.ts";
import type { PairingSlots } from "./pairing_slots.ts";
import { ALONE, type CommandOutcome, type RemoteCommand } from "./ports/ownership.ts";
import type { MaybePromise } from "./ports/store.ts";
import { SessionReader } from "./read_session.ts";
import { type RegistryOptions, SupervisorRegistry } from "./registry.ts";
import { ReportEvent } from "./report_event.ts";
import { RequestQr } from "./request_qr.ts";

/** A change of a session, once it is durable. */
export interface Change {
  readonly before: SessionSnapshot;
  readonly after: SessionSnapshot;
}

/** What the session manager works with: that of the registry, and that of asking for QRs. */
export interface ManagerOptions extends Omit<RegistryOptions, "onChange"> {
  /** How long `requestQr` waits for a QR, in milliseconds. */
  readonly qrWaitMs: number;
  readonly pairingSlots: PairingSlots;
}

/** The sessions, as the routes see them: read, QR, internal events, changes. One for each process. */
export class SessionManager {
  readonly #options: ManagerOptions;
  readonly #registry: SupervisorRegistry;
  readonly #reading: SessionReader;
  readonly #requestQr: RequestQr;
  readonly #reportEvent: ReportEvent;
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(options: ManagerOptions) {
    this.#options = options;
    const ownership = options.ownership ?? ALONE;
    const reading = this.#reading = new SessionReader(options);
    const registry = this.#registry = new SupervisorRegistry({
      ...options,
      onChange: (before, after) => this.#announce(before, after),
    });
    this.#requestQr = new RequestQr({ ...options, registry, reading, ownership });
    this.#reportEvent = new ReportEvent({ ...options, registry, reading, ownership });
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
        this.#registry.restore(stored.session.instanceId, () => Promise.resolve(stored))
      ),
    );
  }

  /**
   * Brings these sessions back that another replica has left, those that nobody has taken by now. One that the
   * store refuses for now comes back once the store does.
   */
  async adoptOrphans(instanceIds: readonly string[]): Promise<void> {
    const { store } = this.#options;
    await Promise.allSettled(instanceIds.map((id) => this.#registry.restore(id, () => store.find(id))));
  }

  /**
   * Gives up so many sessions for other replicas to take.
   * @returns how many it were
   */
  rebalance(count: number): Promise<number> {
    return this.#registry.rebalance(count);
  }

  /** Abandons all sessions without a write; resolves once every connection is down. */
  abandonAll(): Promise<void> {
    return this.#registry.abandonAll();
  }

  /**
   * Does for another replica what it was asked for.
   * @returns what came of it, an error of the catalogue included
   * @throws whatever else goes wrong
   */
  async runCommand(instanceId: string, command: RemoteCommand): Promise<CommandOutcome> {
    try {
      switch (command.type) {
        case "qr_requested":
          return { kind: "done", result: await this.requestQr(instanceId) };
        case "connected":
          return { kind: "done", result: await this.reportConnected(instanceId, command.phoneNumber) };
        case "disconnected":
          return { kind: "done", result: await this.reportDisconnected(instanceId, command.reason) };
        default:
          command satisfies never;
          return { kind: "failed", code: "UNKNOWN_COMMAND", retryAfterSeconds: null }; // of a newer version
      }
    } catch (error) {
      if (!(error instanceof SessionManagerError)) throw error;
      const { code, retryAfterSeconds = null } = error;
      return { kind: "failed", code, retryAfterSeconds };
    }
  }

  /** Closes every socket without unlinking, and ends every call that waits for a QR. */
  async stop(): Promise<void> {
    this.#requestQr.stop();
    await this.#registry.stop();
  }

  /** Hears of every change from now on; the returned function ends that. */
  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * When this session last heard from WhatsApp, known to within a few seconds.
   * @returns milliseconds; null without a socket, and before WhatsApp has sent anything
   */
  heardAt(instanceId: string): number | null {
    return this.#registry.find(instanceId)?.heardAt ?? null;
  }

  /** How many sessions have a change that waits for the store. */
  get stalled(): number {
    return this.#registry.stalled;
  }

  /** Whether this session is supervised at the moment. */
  isSupervised(instanceId: string): boolean {
    return this.#registry.has(instanceId);
  }

  /** How many sessions are supervised at the moment. */
  get supervised(): number {
    return this.#registry.size;
  }

  /**
   * The session as it is; without a promise where it is in memory, or in a store that answers synchronously.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  read(instanceId: string): MaybePromise<SessionView> {
    const supervisor = this.#registry.find(instanceId);
    return supervisor === null ? this.#reading.stored(instanceId) : this.#reading.supervised(supervisor);
  }

  /**
   * The session's valid QR, synchronously where one is shown, or a new one.
   * @throws {SessionManagerError} `SESSION_ALREADY_CONNECTED`, `QR_GENERATION_FAILED`, `TOO_MANY_REQUESTS`
   */
  requestQr(instanceId: string): MaybePromise<QrView> {
    return this.#requestQr.run(instanceId);
  }

  /**
   * An internal event says that the session is connected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportConnected(instanceId: string, phoneNumber: string): Promise<SessionView> {
    return this.#reportEvent.connected(instanceId, phoneNumber);
  }

  /**
   * An internal event says that the session is disconnected.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  reportDisconnected(instanceId: string, reason: DisconnectReason): Promise<SessionView> {
    return this.#reportEvent.disconnected(instanceId, reason);
  }

  #announce(before: SessionSnapshot, after: SessionSnapshot): void {
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
