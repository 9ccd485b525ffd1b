/**
 * The supervisor of one session: a mailbox that takes one event at a time through the domain's
 * transition, writes the outcome, makes it visible, and only then acts on it.
 * @module
 */
import type { Span } from "@opentelemetry/api";
import type { Effect, SessionEvent } from "../domain/events.ts";
import { FencedError, type Lease } from "../domain/leases.ts";
import { type Life, nextTick, type Policy } from "../domain/life.ts";
import { phoneNumberOf } from "../domain/phone.ts";
import type { CredentialsChange, CredentialStore, KeyWrite, SessionStore } from "../domain/ports.ts";
import { CredentialsUnreadableError } from "../domain/ports.ts";
import { transition } from "../domain/transition.ts";
import type { Admission, Turn } from "./admission.ts";
import type { Clock } from "./clock.ts";
import type { Log } from "./log.ts";
import type { Logins } from "./logins.ts";
import { Mailbox } from "./mailbox.ts";
import type { Ownership } from "./ownership.ts";
import { Persistence } from "./persistence.ts";
import type { Purpose } from "./protocol.ts";
import { startSocketSpan, traced } from "./tracing.ts";
import type { Socket, SocketLayer, SocketListener } from "./socket_layer.ts";

/** What all supervisors of a process share. */
export interface Surroundings {
  readonly store: SessionStore & CredentialStore;
  readonly sockets: SocketLayer;
  readonly admission: Admission;
  readonly logins: Logins;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly policy: Policy;
  readonly log: Log;
  /** Called after each change that is durable and visible. */
  readonly onChange: (before: Life, after: Life) => void;
  /** Called when nothing is going on any more. */
  readonly onIdle: (supervisor: Supervisor) => void;
  /** Called when the session turns out to be another replica's, and has been abandoned. */
  readonly onFenced: (supervisor: Supervisor) => void;
}

/** What a new login consists of; it accompanies the event that says that the phone has scanned. */
interface Pairing {
  readonly credentials: string;
  readonly keys: readonly KeyWrite[];
}

export class Supervisor {
  readonly instanceId: string;
  /** By which the session is held; null where there is nobody to share with. */
  readonly lease: Lease | null;
  readonly #around: Surroundings;
  readonly #stopping = new AbortController();
  readonly #mailbox = new Mailbox(() => {
    if (this.isIdle) this.#around.onIdle(this);
  });
  readonly #persistence: Persistence;
  /** How many of the tasks in the mailbox are events. The others, on the login's keys, change no state. */
  #events = 0;
  #life: Life;
  #socket: Socket | null = null;
  /** Sockets whose connection is not down yet, the present one included. */
  #connections = 0;
  /** Resolves once the connection of every socket so far is down. */
  #alone: Promise<void> = Promise.resolve();
  /** Counts sockets: a word from any but the last one is stale. */
  #generation = 0;
  #turn: Turn | null = null;
  #cancelTick: (() => void) | null = null;
  #changed = Promise.withResolvers<void>();
  #isAbandoned = false;

  constructor(life: Life, around: Surroundings, lease: Lease | null = null) {
    this.instanceId = life.session.instanceId;
    this.lease = lease;
    this.#life = life;
    this.#around = around;
    this.#persistence = new Persistence(this.instanceId, around.clock, around.log, this.#stopping.signal);
  }

  /** The last life that is durable and visible. */
  get life(): Life {
    return this.#life;
  }

  /**
   * Whether nothing is going on, so that the store alone can answer for this session, and another supervisor
   * need not know of this one.
   */
  get isIdle(): boolean {
    return this.#mailbox.size === 0 && this.#life.activity.kind === "idle" && this.#connections === 0;
  }

  /** Whether something has happened that could not be written yet, so that `life` no longer tells all. */
  get isStalled(): boolean {
    return this.#persistence.isStalled && this.#events > 0;
  }

  /** Rejects with the store's error once anything has to wait for the store. */
  get stalled(): Promise<never> {
    return this.#persistence.stalled;
  }

  /** Resolves once the connection of every socket so far is down. */
  get alone(): Promise<void> {
    return this.#alone;
  }

  /** Whether it has been abandoned, so that what it knows is nobody's truth any more. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Resolves at the next change of `life`, and when the supervisor stops. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  /**
   * Takes an event into the mailbox; resolves once it is durable and its effects are under way.
   * @throws the store's error as soon as the store has refused once; the event is still carried out,
   *   in its turn, when the store is back
   * @throws {FencedError} when the session is another replica's
   */
  async submit(event: SessionEvent): Promise<void> {
    const applied = this.#put(() =>
      traced(`session ${event.type}`, this.instanceId, () => this.#apply(event))
    );
    await Promise.race([applied, this.#persistence.stalled]);
  }

  /**
   * Finishes what is in the mailbox, settles the row and closes the socket without unlinking, as far as the
   * store lets it. Nothing happens to this session in this process afterwards.
   */
  async stop(): Promise<void> {
    this.#turn?.giveUp();
    await this.submit({ type: "stopping" }).catch(() => {});
    this.#stopping.abort();
    this.#cancelTick?.();
    this.#closeSocket(false);
    this.#changed.resolve();
    await this.#mailbox.drained();
  }

  /**
   * Lets go of a session that is another replica's, or may be soon: closes the socket and writes nothing. What
   * is in the mailbox is refused. Safe to call twice.
   */
  abandon(): void {
    if (this.#isAbandoned) return;
    this.#isAbandoned = true;
    this.#stopping.abort();
    this.#turn?.giveUp();
    this.#cancelTick?.();
    this.#closeSocket(false);
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
      this.#around.log.error({ event: "supervision_failed", instance_id: this.instanceId, err: error });
    });
  }

  #put(event: () => Promise<void>): Promise<void> {
    this.#events++;
    return this.#guard(this.#mailbox.put(event)).finally(() => this.#events--);
  }

  /** Lets go of the session as soon as a write was refused because it is another's. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      if (error instanceof FencedError && !this.#isAbandoned) {
        this.abandon();
        this.#around.onFenced(this);
      }
      throw error;
    }
  }

  async #apply(event: SessionEvent, pairing?: Pairing): Promise<void> {
    if (this.#isAbandoned) throw new FencedError(this.instanceId);
    if (this.#stopping.signal.aborted) return;
    const { clock, policy, store } = this.#around;
    const before = this.#life;
    const { life, effects } = transition(before, event, {
      now: clock.now(),
      random: clock.random(),
      policy,
    });
    const credentials = credentialsChange(effects, pairing);
    if (life.session !== before.session || credentials.kind !== "keep") {
      await this.#persistence.insist(() => store.save(life.session, credentials, this.lease));
    }
    this.#life = life;
    if (life !== before) this.#announce(before);
    for (const effect of effects) this.#carryOut(effect);
    this.#settle();
  }

  #announce(before: Life): void {
    this.#around.onChange(before, this.#life);
    const { resolve } = this.#changed;
    this.#changed = Promise.withResolvers<void>();
    resolve();
  }

  /** Arms the next tick, and makes room for the next login when this one is through. */
  #settle(): void {
    const { clock } = this.#around;
    const { kind } = this.#life.activity;
    if (kind !== "queued" && kind !== "login") {
      this.#turn?.giveUp();
      this.#turn = null;
    }
    this.#cancelTick?.();
    const at = nextTick(this.#life);
    this.#cancelTick = at === null ? null : clock.after(at - clock.now(), () => this.#tell({ type: "tick" }));
  }

  // ── Effects ────────────────────────────────────────────────────────────────────────────────────

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "open_pairing_socket":
        this.#openSocket({ kind: "pair" });
        return this.#around.admission.count();
      case "open_login_socket":
        return this.#onceAlone(() => this.#openLogin());
      case "close_socket":
        return this.#closeSocket(effect.unlink);
      case "ask_admission":
        // Alone first, or a session that waits for a connection of its own would keep a turn from the others.
        return this.#onceAlone(() => this.#askAdmission());
      case "erase_credentials":
        return this.#around.logins.release(this.instanceId);
      case "adopt_credentials":
      case "suspend_credentials":
        return; // done, in the transaction that wrote the session
      default:
        return effect satisfies never;
    }
  }

  /**
   * Does what belongs to the present activity once no connection of an earlier socket is left, unless the
   * session has moved on by then. WhatsApp lets a login have one connection: a second would throw the first
   * out, and with two on their way nobody knows which.
   */
  #onceAlone(work: () => Promise<void> | void): void {
    const { activity } = this.#life;
    void this.#alone.then(() =>
      this.#enqueue(async () => {
        if (this.#stopping.signal.aborted || this.#life.activity !== activity) return;
        await work();
      })
    );
  }

  #askAdmission(): void {
    this.#turn = this.#around.admission.ask(() => this.#tell({ type: "admitted" }));
  }

  async #openLogin(): Promise<void> {
    const credentials = await this.#persistence
      .insist(() => this.#around.store.loadCredentials(this.instanceId))
      .catch((error) => {
        if (error instanceof CredentialsUnreadableError) return null;
        throw error;
      });
    if (credentials === null) return await this.#apply({ type: "credentials_unreadable" });
    this.#openSocket({ kind: "login", credentials });
    // Never before it is made: its second would be over a moment too early. There is no turn for the login that
    // belongs to a pairing, or to a restart that WhatsApp asked for.
    this.#around.admission.count(this.#turn);
  }

  /** @throws {FencedError} when the session is not held any more */
  #openSocket(purpose: Purpose): void {
    this.#closeSocket(false);
    if (!this.#around.ownership.holds(this.lease)) throw new FencedError(this.instanceId);
    const generation = this.#generation;
    const span = startSocketSpan(purpose.kind, this.instanceId);
    const socket = this.#around.sockets.open(purpose, this.#listenerOf(generation, span));
    this.#socket = socket;
    this.#connections++;
    const earlier = this.#alone;
    this.#alone = socket.gone.then(() => {
      // By the mailbox, which tells when nothing is going on any more.
      void this.#mailbox.put(() => Promise.resolve(this.#connections--));
      return earlier;
    });
  }

  #closeSocket(unlink: boolean): void {
    this.#generation++;
    this.#socket?.close({ unlink });
    this.#socket = null;
  }

  /** When the socket last heard a word from WhatsApp; null without a socket, and before the first word. */
  get heardAt(): number | null {
    return this.#socket?.heardAt ?? null;
  }

  #onIdentified(jid: string): void {
    const rivals = this.#around.logins.use(this.instanceId, jid);
    if (rivals.length === 0) return;
    this.#around.log.warn({ event: "login_shared", instance_id: this.instanceId, rivals });
  }

  // ── What the socket says ───────────────────────────────────────────────────────────────────────

  /** @param span ends with the socket's first word */
  #listenerOf(generation: number, span: Span): SocketListener {
    const { store, log, clock } = this.#around;
    const isStale = () => generation !== this.#generation;
    // Judged when its turn comes: what lies before it in the mailbox may have replaced the socket.
    const hear = (event: SessionEvent, pairing?: Pairing) =>
      this.#enqueue(async () => {
        if (!isStale()) await this.#apply(event, pairing);
      });
    const serve = <T>(work: () => Promise<T>) =>
      this.#guard(this.#mailbox.put(async () => {
        if (isStale()) throw new Error("The socket has been replaced.");
        return await this.#persistence.insist(work);
      }));
    return {
      qr: (string, ordinal, generatedAt) => {
        span.end();
        hear({ type: "qr", string, ordinal, generatedAt: clock.fromMachine(generatedAt) });
      },
      paired: (credentials, keys) => hear({ type: "paired" }, { credentials, keys }),
      passkeyDemanded: () => hear({ type: "passkey_demanded" }),
      connected: (jid) => {
        span.end();
        hear({ type: "connected", phoneNumber: phoneNumberOf(jid), source: "socket" });
      },
      identified: (jid) => this.#onIdentified(jid),
      closed: (cause) => {
        span.end();
        log.info({ event: "socket_closed", instance_id: this.instanceId, ...cause });
        const rival = this.#around.logins.rivalOf(this.instanceId);
        hear({ type: "closed", cause, rival });
      },
      load: (keyType, ids) =>
        serve(() => store.loadKeys(this.instanceId, keyType, ids)).catch((error) => {
          if (error instanceof CredentialsUnreadableError) hear({ type: "credentials_unreadable" });
          throw error;
        }),
      save: (keys, credentials) =>
        serve(() => store.saveKeys(this.instanceId, keys, credentials, this.lease)),
    };
  }
}

/** What a transition's effects mean for the stored credentials. */
function credentialsChange(effects: readonly Effect[], pairing: Pairing | undefined): CredentialsChange {
  for (const { type } of effects) {
    if (type === "erase_credentials") return { kind: "erase" };
    if (type === "suspend_credentials") return { kind: "suspend" };
    if (type === "adopt_credentials" && pairing !== undefined) return { kind: "adopt", ...pairing };
  }
  return { kind: "keep" };
}
