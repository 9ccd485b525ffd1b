/**
 * What a supervisor has around it, each neighbour in a test's hands, and the time with them.
 * @module
 */
import { connected } from "../../domain/changes.ts";
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { Lease } from "../../domain/leases.ts";
import { DEFAULT_POLICY, type Policy, type SessionSnapshot } from "../../domain/snapshot.ts";
import { WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { createSession, type Session } from "../../domain/session.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import type { LogFields } from "../../runtime/log.ts";
import { Admission } from "../../sessions/admission.ts";
import { Logins } from "../../sessions/logins.ts";
import type { ClosedConnection } from "../../sessions/ports/sockets.ts";
import type { Retirement } from "../../sessions/unlinker.ts";
import { ME, ScriptedOwnership } from "./scripted_ownership.ts";
import { type ScriptedSocket, ScriptedSockets, settled } from "./scripted_sockets.ts";
import { ScriptedStore } from "./scripted_store.ts";

export const ONE = "sender_1";
export const JID = "5491155550001:1@s.whatsapp.net";
export const PHONE = "+5491155550001";
/** The login that {@link Stage.link} stores. */
export const LOGIN = "the login";
/** What becomes of a connection that the network has dropped. */
export const DROPPED: DisconnectCause = { origin: "network" };
/** WhatsApp has the connection begun anew, as it does after a pairing. */
export const RESTART: DisconnectCause = { origin: "whatsapp", code: 515 };
/** WhatsApp knows no such login. */
export const LOGGED_OUT: DisconnectCause = { origin: "whatsapp", code: 401 };

export const POLICY: Policy = { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 20_000 };

/** A login that is being retired, as the supervisor announces it. */
export interface Announced {
  readonly id: string;
  state: "expected" | "retired" | "cancelled";
  /** What WhatsApp has answered, once its last connection is down. */
  closed: ClosedConnection | null;
}

export class Stage {
  readonly clock = new DrivenClock();
  readonly store = new ScriptedStore();
  readonly sockets = new ScriptedSockets();
  readonly ownership = new ScriptedOwnership();
  readonly logins = new Logins();
  readonly admission: Admission;
  readonly retirements: Announced[] = [];
  readonly logged: LogFields[] = [];
  /** What has happened, in its order: writes, changes that are visible, sockets. */
  readonly trace: string[] = [];
  readonly log = {
    debug: (fields: LogFields) => void this.logged.push(fields),
    info: (fields: LogFields) => void this.logged.push(fields),
    warn: (fields: LogFields) => void this.logged.push(fields),
    error: (fields: LogFields) => void this.logged.push(fields),
  };
  readonly unlinker = { expect: (id: string) => this.#expect(id) };
  readonly policy: Policy;

  constructor({ policy = POLICY, concurrent = 8 }: { policy?: Policy; concurrent?: number } = {}) {
    this.policy = policy;
    this.admission = new Admission({ concurrent, perSecond: 50, clock: this.clock });
    this.store.isCurrent = (lease) => this.ownership.isCurrent(lease);
    this.store.onSave = ({ session }) => this.trace.push(`written ${session.status}/${session.qr.status}`);
    this.sockets.onOpen = ({ purpose }) => this.trace.push(`opened to ${purpose.kind}`);
    this.sockets.onClose = ({ purpose }) => this.trace.push(`closed, opened to ${purpose.kind}`);
  }

  /** What supervisors and registries share; without what they tell of themselves. */
  get options() {
    const { clock, store, sockets, ownership, logins, admission, unlinker, log, policy } = this;
    const onChange = (_before: SessionSnapshot, { session }: SessionSnapshot) =>
      void this.trace.push(`visible ${session.status}/${session.qr.status}`);
    return { clock, store, sockets, ownership, logins, admission, unlinker, log, policy, onChange };
  }

  /** The names of the events in the log. */
  get events(): string[] {
    return this.logged.map(({ event }) => event);
  }

  /** Stores a session with a login that works, as its last owner has left it. */
  link(instanceId = ONE, credentials = LOGIN): Session {
    const now = this.clock.now();
    const session = connected(createSession(instanceId, now), PHONE, now);
    this.store.put(session, { link: "working", login: { credentials, keys: new Map() } });
    return session;
  }

  /** Stores a session that was never linked. */
  create(instanceId = ONE): Session {
    const session = createSession(instanceId, this.clock.now());
    this.store.put(session);
    return session;
  }

  /** Lets this much time pass; whatever it sets off is done afterwards. */
  async pass(ms: number): Promise<void> {
    await settled();
    this.clock.advance(ms);
    await settled();
  }

  /** Lets time pass in steps, for what waits again and again. */
  async passInSteps(ms: number, stepMs: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) await this.pass(stepMs);
  }

  /** WhatsApp lets a login in. */
  async letIn(socket: ScriptedSocket, jid = JID): Promise<void> {
    this.tell(socket, { type: "identified", jid });
    this.tell(socket, { type: "connected", jid });
    await settled();
  }

  /** A socket shows a QR. */
  async show(socket: ScriptedSocket, ordinal = 0, string = "data:image/png;base64,QR"): Promise<void> {
    this.tell(socket, { type: "qr", string, ordinal });
    await settled();
  }

  /** A socket ends by itself; its connection is down at once where `isDown`. */
  async end(socket: ScriptedSocket, cause: DisconnectCause = DROPPED, isDown = true): Promise<void> {
    this.tell(socket, { type: "closed", cause });
    if (isDown) socket.goes();
    await settled();
  }

  /** A phone scans the QR of a socket. @returns what comes of the new login */
  scan(socket: ScriptedSocket, credentials: string): Promise<ReadonlyMap<string, string>> {
    return socket.listener.onRequest({ type: "paired", credentials, keys: [] });
  }

  tell(socket: ScriptedSocket, event: Parameters<ScriptedSocket["listener"]["onEvent"]>[0]): void {
    socket.listener.onEvent(event, this.clock.steady());
  }

  #expect(id: string): Retirement {
    const announced: Announced = { id, state: "expected", closed: null };
    this.retirements.push(announced);
    return {
      retired: (gone) => {
        announced.state = "retired";
        void gone.then((closed) => announced.closed = closed);
      },
      cancel: () => void (announced.state = "cancelled"),
    };
  }
}

/** How a promise stands, once whatever waits for nothing but its turn has happened. */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  let state: "pending" | "resolved" | "rejected" = "pending";
  promise.then(() => state = "resolved", () => state = "rejected");
  await settled();
  return state;
}

/** The lease that a test starts a session with. */
export function leaseOf(stage: Stage, instanceId = ONE): Lease {
  return stage.ownership.assign(instanceId, ME);
}
