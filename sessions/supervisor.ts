/**
 * The supervisor of one session: a mailbox that takes one event at a time through the domain's
 * transition, writes the outcome, makes it visible, and only then acts on it.
 * @module
 */
import type { Effect, SessionEvent } from "../domain/events.ts";
import type { Lease } from "../domain/leases.ts";
import { isAtRest, nextTickMs, type Policy, type SessionSnapshot } from "../domain/snapshot.ts";
import type { CredentialsChange } from "../domain/credentials.ts";
import type { CredentialStore, SessionStore } from "./ports/store.ts";
import {
  CredentialsUnreadableError,
  FencedError,
  SessionMissingError,
  StoreUnavailableError,
} from "./ports/store.ts";
import { transition } from "../domain/transition.ts";
import type { Admission, Turn } from "./admission.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Logins } from "./logins.ts";
import { Mailbox } from "./mailbox.ts";
import type { Ownership } from "./ports/ownership.ts";
import type { PairingSlot } from "./pairing_slots.ts";
import { Persistence } from "./persistence.ts";
import type { Purpose } from "./ports/sockets.ts";
import { Retirements } from "./retirements.ts";
import type { ClosedConnection, SocketLayer } from "./ports/sockets.ts";
import { SocketLine } from "./socket_line.ts";
import { listenTo, type ReportLine } from "./socket_events.ts";
import { startSocketSpan, traced } from "../runtime/tracing.ts";
import type { Unlinker } from "./unlinker.ts";

/** What all supervisors of a process share. */
export interface SupervisorDeps {
  readonly store: SessionStore & CredentialStore;
  readonly sockets: SocketLayer;
  readonly admission: Admission;
  readonly logins: Logins;
  readonly unlinker: Pick<Unlinker, "expect">;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly log: Log;
  /** How long a caller waits for the store, in milliseconds, where that is not the product's own. */
  readonly storePatienceMs?: number;
  /** Called after each change that is durable and visible. */
  readonly onChange: (before: SessionSnapshot, after: SessionSnapshot) => void;
  /** Called when nothing is going on any more. */
  readonly onIdle: (supervisor: Supervisor) => void;
  /** Called when the session turns out to be another replica's, and has been abandoned. */
  readonly onFenced: (supervisor: Supervisor) => void;
  /** Called when the session turns out to have been deleted, and has been abandoned. */
  readonly onMissing: (supervisor: Supervisor) => void;
  /** Called when the session is to be left to another replica, which can open its login. */
  readonly onUnopened: (supervisor: Supervisor) => void;
  /** Called when what happened cannot be written, not even later; the session has been abandoned. */
  readonly onBroken: (supervisor: Supervisor) => void;
}

/** Changes after which the session no longer uses the login that it has used. */
const GIVES_UP_LOGIN: ReadonlySet<CredentialsChange["kind"]> = new Set([
  "adopt",
  "revert",
  "erase",
  "retire",
]);

/** Acts for one session: the only writer of its state while it is there. */
export class Supervisor {
  readonly instanceId: string;
  readonly #deps: SupervisorDeps;
  readonly #stopping = new AbortController();
  readonly #mailbox = new Mailbox(() => {
    if (this.isIdle) this.#deps.onIdle(this);
  });
  readonly #persistence: Persistence;
  /** How many of the tasks in the mailbox are events. The others, on the login's keys, change no state. */
  #events = 0;
  #snapshot: SessionSnapshot;
  #lease: Lease | null;
  readonly #pairingLine = new SocketLine();
  readonly #loginLine = new SocketLine();
  readonly #retirements: Retirements;
  #turn: Turn | null = null;
  #cancelTick: (() => void) | null = null;
  #changed = Promise.withResolvers<void>();
  #isAbandoned = false;
  #isBroken = false;
  #isResuming = false;

  constructor(snapshot: SessionSnapshot, deps: SupervisorDeps, lease: Lease | null = null) {
    this.instanceId = snapshot.session.instanceId;
    this.#lease = lease;
    this.#snapshot = snapshot;
    this.#deps = deps;
    const { clock, log, storePatienceMs } = deps;
    this.#persistence = new Persistence(this.instanceId, clock, log, this.#stopping.signal, {
      patienceMs: storePatienceMs,
      beforeRetry: () => this.#renewLease(),
    });
    this.#retirements = new Retirements(deps.unlinker);
  }

  /** By which the session is held; null where there is nobody to share with. */
  get lease(): Lease | null {
    return this.#lease;
  }

  /** The last snapshot that is durable and visible. */
  get snapshot(): SessionSnapshot {
    return this.#snapshot;
  }

  /**
   * Whether nothing is going on, so that the store alone can answer for this session, and another supervisor
   * need not know of this one.
   */
  get isIdle(): boolean {
    return this.#mailbox.size === 0 && isAtRest(this.#snapshot) && !this.#isBroken &&
      !this.#pairingLine.isConnected && !this.#loginLine.isConnected;
  }

  /** Whether what a former owner left is being settled: until that is durable, its session is not told as it was. */
  get isResuming(): boolean {
    return this.#isResuming;
  }

  /** Settles what a former owner has left, and brings the login back. @throws as {@link submit} */
  async resume(): Promise<void> {
    this.#isResuming = true;
    try {
      await this.submit({ type: "restored" });
    } finally {
      this.#isResuming = false;
    }
  }

  /** Whether something has happened that could not be written yet, so that `snapshot` no longer tells all. */
  get isStalled(): boolean {
    return this.#isBroken || (this.#persistence.isStalled && this.#events > 0);
  }

  /**
   * Waits for `work`, but not once anything has to wait for the store, or could not be written.
   * @throws the store's error; `work` goes on
   */
  async unlessStalled<T>(work: Promise<T>): Promise<T> {
    if (this.#isBroken) throw new StoreUnavailableError(new Error("It could not be written."));
    return await this.#persistence.unlessStalled(work);
  }

  /** Resolves once the connection of every socket so far is down. */
  get alone(): Promise<void> {
    return Promise.all([this.#pairingLine.down(), this.#loginLine.down()]).then(() => {});
  }

  /** True once it has been abandoned: what it knows may be outdated. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Resolves at the next change of `snapshot`, and when the supervisor stops. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** When a socket last heard from WhatsApp; null without one, and before the first time. */
  get heardAt(): number | null {
    return this.#loginLine.heardAt ?? this.#pairingLine.heardAt;
  }

  /**
   * Takes an event into the mailbox; resolves once it is durable and its effects are under way.
   * @param slot the right to a pairing socket, freed where none comes of it
   * @throws the store's error as soon as the store has refused once; the event is still carried out,
   *   in its turn, when the store is back
   * @throws {FencedError} when the session is another replica's
   * @throws {SessionMissingError} when it has been deleted
   */
  async submit(event: SessionEvent, slot?: PairingSlot): Promise<void> {
    const applied = this.#put(() =>
      traced(`session ${event.type}`, this.instanceId, () => this.#apply(event, slot))
    );
    applied.catch(() => slot?.free());
    await this.unlessStalled(applied);
  }

  /**
   * Finishes what is in the mailbox, settles the row and closes the sockets without unlinking, as far as the
   * store lets it. Nothing happens to this session in this process afterwards.
   */
  async stop(): Promise<void> {
    this.#turn?.giveUp();
    await this.submit({ type: "stopping" }).catch(() => {});
    this.#end();
    await this.#mailbox.drained();
  }

  /**
   * Lets go of a session that is another replica's, or may be soon: closes the sockets and writes nothing. What
   * is in the mailbox is refused. Safe to call twice.
   */
  abandon(): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.#turn?.giveUp();
    this.#end();
  }

  #end(): void {
    this.#stopping.abort();
    this.#cancelTick?.();
    this.#pairingLine.close(false);
    this.#loginLine.close(false);
    this.#changed.resolve();
  }

  // ── Events ─────────────────────────────────────────────────────────────────────────────────────

  /** Takes an event that nobody waits for. */
  #tell(event: SessionEvent): void {
    this.#enqueue(() => this.#apply(event));
  }

  #enqueue(task: () => Promise<void>): void {
    this.#put(task).catch((error) => {
      if (this.#stopping.signal.aborted) return;
      this.#deps.log.error({ event: "supervision_failed", instance_id: this.instanceId, err: error });
    });
  }

  #put(event: () => Promise<void>): Promise<void> {
    this.#events++;
    return this.#guard(this.#mailbox.put(event)).finally(() => this.#events--);
  }

  /** Lets go of the session as soon as a write was refused because it is another's, or is no more. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      const isLost = error instanceof FencedError || error instanceof SessionMissingError;
      if (isLost && !this.#isAbandoned) {
        this.abandon();
        if (error instanceof FencedError) this.#deps.onFenced(this);
        else this.#deps.onMissing(this);
      }
      throw error;
    }
  }

  /** @param slot the right to a pairing socket, with the Hub's request for a QR */
  async #apply(event: SessionEvent, slot?: PairingSlot): Promise<void> {
    if (this.#isAbandoned) throw new FencedError(this.instanceId);
    if (this.#stopping.signal.aborted) return slot?.free();
    const { clock, policy } = this.#deps;
    const before = this.#snapshot;
    const { snapshot, credentials, effects } = transition(before, event, {
      now: clock.now(),
      steady: clock.steady(),
      random: clock.random(),
      tearingDown: this.#loginLine.isTearingDown,
      retiredId: crypto.randomUUID(),
      policy,
    });
    const retirement = this.#retirements.of(before, credentials);
    if (snapshot.session !== before.session || credentials.kind !== "keep") {
      await this.#write(snapshot, credentials).catch((error) => {
        retirement.cancel();
        throw error;
      });
    }
    this.#snapshot = snapshot;
    if (snapshot !== before) this.#announce(before);
    if (GIVES_UP_LOGIN.has(credentials.kind)) this.#deps.logins.release(this.instanceId);
    // Before the effects: a login that is taken up again has to wait for its own connections.
    retirement.settle();
    // It may have been stopped or abandoned while that was written: no socket then, and no timer.
    if (this.#stopping.signal.aborted) return slot?.free();
    for (const effect of effects) this.#carryOut(effect, slot);
    if (!effects.some(({ type }) => type === "open_pairing_socket")) slot?.free();
    this.#settle();
  }

  /** @throws what no repetition would mend, once the session has been let go of: nobody may be told a lie */
  async #write(snapshot: SessionSnapshot, credentials: CredentialsChange): Promise<void> {
    try {
      await this.#persistence.retryUntilStored(() =>
        this.#deps.store.save(snapshot.session, credentials, this.lease)
      );
    } catch (error) {
      const isOver = this.#stopping.signal.aborted || error instanceof FencedError ||
        error instanceof SessionMissingError;
      if (!isOver && !(error instanceof StoreUnavailableError)) this.#break();
      throw error;
    }
  }

  /**
   * Fences off whatever has been sent under the lease so far. A write whose answer did not come may have been carried
   * out, and that is right; but it may also be on its way still, and would undo what is written after it.
   * @throws {FencedError} when the session is another replica's by now
   */
  async #renewLease(): Promise<void> {
    if (this.#lease === null) return;
    if (this.#isAbandoned) throw new FencedError(this.instanceId);
    const taking = await this.#deps.ownership.take(this.instanceId);
    if (taking.kind === "held" || this.#isAbandoned) throw new FencedError(this.instanceId);
    this.#lease = taking.lease;
  }

  #break(): void {
    this.#isBroken = true;
    this.abandon();
    this.#deps.onBroken(this);
  }

  #announce(before: SessionSnapshot): void {
    this.#deps.onChange(before, this.#snapshot);
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  /** Arms the next tick, and makes room for the next login when this one is through. */
  #settle(): void {
    const { clock } = this.#deps;
    const { kind } = this.#snapshot.login;
    if (kind !== "queued" && kind !== "login") {
      this.#turn?.giveUp();
      this.#turn = null;
    }
    this.#cancelTick?.();
    const ms = nextTickMs(this.#snapshot, { now: clock.now(), steady: clock.steady() });
    this.#cancelTick = ms === null ? null : clock.after(ms, () => this.#tell({ type: "tick" }));
  }

  // ── Effects ────────────────────────────────────────────────────────────────────────────────────

  #carryOut(effect: Effect, slot: PairingSlot | undefined): void {
    switch (effect.type) {
      case "open_pairing_socket":
        this.#retirements.pairing = this.#open("pairing", this.#pairingLine, { kind: "pair" });
        return void this.#retirements.pairing.then(() => slot?.free());
      case "close_pairing_socket":
        return void this.#pairingLine.close(false);
      case "close_login_socket":
        return void this.#loginLine.close(effect.unlink);
      case "open_login_socket":
        return this.#onceAlone(() => this.#openLogin());
      case "ask_admission":
        // Alone first, or a session that waits for a connection of its own would keep a turn from the others.
        return this.#onceAlone(() => this.#askAdmission());
      default:
        return effect satisfies never;
    }
  }

  /**
   * Does what belongs to the login's present activity once no earlier connection of this login is left, unless the
   * session has moved on by then. WhatsApp lets a login have one connection: a second would throw the first
   * out, and with two on their way nobody knows which.
   */
  #onceAlone(work: () => Promise<void> | void): void {
    const { login } = this.#snapshot;
    void this.#retirements.present.down().then(() =>
      this.#enqueue(async () => {
        if (this.#stopping.signal.aborted || this.#snapshot.login !== login) return;
        await work();
      })
    );
  }

  #askAdmission(): void {
    this.#turn?.giveUp();
    this.#turn = this.#deps.admission.ask(() => this.#tell({ type: "admitted" }));
  }

  async #openLogin(): Promise<void> {
    const credentials = await this.#persistence
      .retryUntilStored(() => this.#deps.store.loadCredentials(this.instanceId))
      .catch(async (error) => {
        if (!(error instanceof CredentialsUnreadableError)) throw error;
        await this.#onUnreadable(error);
        return undefined;
      });
    // It may have been stopped or abandoned meanwhile, and the login may be another replica's by now.
    if (credentials === undefined || this.#stopping.signal.aborted) return;
    if (credentials === null) return await this.#apply({ type: "credentials_unreadable" });
    this.#retirements.present.add(this.#open("login", this.#loginLine, { kind: "login", credentials }));
    // Never before it is made: its second would be over a moment too early. There is no turn for the login that
    // belongs to a pairing, or to a restart that WhatsApp asked for.
    this.#deps.admission.count(this.#turn);
  }

  /** The login is in error, unless another replica can open it: then the session is left to that one as it is. */
  async #onUnreadable({ keyId }: CredentialsUnreadableError): Promise<void> {
    const { ownership, onUnopened, log } = this.#deps;
    const isLeft = keyId !== null &&
      await this.#persistence.retryUntilStored(() => ownership.canAnotherOpen(this.instanceId, keyId));
    // A QR that is shown would be lost; the session is left to another replica once its error is told.
    if (!isLeft || this.#snapshot.pairing.kind !== "none") {
      return await this.#apply({ type: "credentials_unreadable" });
    }
    log.warn({ event: "session_left_to_others", instance_id: this.instanceId, key_id: keyId });
    onUnopened(this);
  }

  /**
   * @returns resolves once the connection is down
   * @throws {FencedError} when the session is not held any more
   */
  #open(kind: ReportLine["kind"], line: SocketLine, purpose: Purpose): Promise<ClosedConnection> {
    if (!this.#deps.ownership.holds(this.lease)) throw new FencedError(this.instanceId);
    const span = startSocketSpan(purpose.kind, this.instanceId);
    const target = { ...this.#deps, instanceId: this.instanceId };
    return line.open(
      (isStale) =>
        this.#deps.sockets.open(purpose, listenTo(target, this.#reportLine(kind, line, isStale), span)),
      // By the mailbox, which tells when nothing is going on any more.
      () => void this.#mailbox.put(() => Promise.resolve()),
    );
  }

  /** The way of a socket's reports; what lies before one in the mailbox may have replaced the socket. */
  #reportLine(kind: ReportLine["kind"], line: SocketLine, isStale: () => boolean): ReportLine {
    const fresh = () => {
      if (isStale()) throw new Error("The socket has been replaced.");
    };
    return {
      kind,
      hear: (event) =>
        this.#enqueue(async () => {
          if (!isStale()) await this.#apply(event);
        }),
      unreadable: (error) =>
        this.#enqueue(async () => {
          if (!isStale()) await this.#onUnreadable(error);
        }),
      end: (event) =>
        this.#enqueue(async () => {
          if (isStale()) return;
          line.ended();
          await this.#apply(event);
        }),
      adopt: (credentials, keys) =>
        this.#put(async () => {
          fresh();
          const before = this.#snapshot;
          await this.#apply({ type: "paired", credentials, keys });
          if (this.#snapshot === before) throw new Error("The pairing is over.");
        }),
      serve: (work) =>
        this.#guard(this.#mailbox.put(async () => {
          fresh();
          return await this.#persistence.retryUntilStored(() => work(this.#lease));
        })),
    };
  }
}
