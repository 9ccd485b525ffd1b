/**
 * The use case behind `POST /sessions/:instance_id/qr`: the session's valid QR, or a new one.
 *
 * Source: decisions, "The QR".
 * @module
 */
import { qrAnswer } from "../domain/answer.ts";
import { SessionManagerError } from "../domain/errors.ts";
import { FencedError, type MaybePromise, type SessionStore } from "./ports/store.ts";
import type { SessionSnapshot } from "../domain/snapshot.ts";
import { isQrView, type QrView } from "@session-manager/contract";
import { viewQr } from "../domain/view.ts";
import type { Clock } from "../runtime/clock.ts";
import { traced } from "../runtime/tracing.ts";
import type { PairingSlot, PairingSlots } from "./pairing_slots.ts";
import type { Ownership } from "./ports/ownership.ts";
import type { SessionReader } from "./read_session.ts";
import type { Holder, SupervisorRegistry } from "./registry.ts";
import { askOwner, fromStore, RETRY_AFTER_SECONDS, retryOnOwnerChange } from "./remote_owner.ts";
import type { Supervisor } from "./supervisor.ts";

/** What asking for a QR needs. */
export interface RequestQrOptions {
  readonly registry: SupervisorRegistry;
  readonly reading: SessionReader;
  readonly ownership: Ownership;
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly pairingSlots: PairingSlots;
  /** How long a call waits for a QR, in milliseconds. */
  readonly qrWaitMs: number;
}

/** How much longer than a QR may take its owner is waited for, in milliseconds. */
const COMMAND_MS = 2_000;

/** Answers calls for a QR with the valid one, or opens a pairing and waits for its first. */
export class RequestQr {
  readonly #options: RequestQrOptions;
  /** Supervisors that are being asked for a pairing: concurrent calls share it, and one slot. */
  readonly #asking = new Map<Supervisor, Promise<void>>();
  #isStopping = false;

  constructor(options: RequestQrOptions) {
    this.#options = options;
  }

  /** Ends every call that waits, at the next change of its session. */
  stop(): void {
    this.#isStopping = true;
  }

  /**
   * The session's valid QR, synchronously where one is shown, or a new one. Any number of concurrent calls share one
   * socket and one QR.
   * @throws {SessionManagerError} `SESSION_ALREADY_CONNECTED`, `QR_GENERATION_FAILED`, `TOO_MANY_REQUESTS`
   */
  run(instanceId: string): MaybePromise<QrView> {
    const { registry, reading } = this.#options;
    // Looked for first: a deadline, a span and a turn for nothing to wait for take 30 µs.
    const supervisor = registry.find(instanceId);
    const shown = supervisor === null ? null : reading.supervisedQr(supervisor);
    return shown ?? this.#obtain(instanceId);
  }

  async #obtain(instanceId: string): Promise<QrView> {
    const { clock, qrWaitMs, pairingSlots } = this.#options;
    const pairing = new PairingRequest(pairingSlots, clock.steady() + qrWaitMs);
    try {
      return await fromStore(
        () => retryOnOwnerChange<QrView>(() => this.#attempt(instanceId, pairing)),
        "QR_GENERATION_FAILED",
      );
    } finally {
      pairing.end();
    }
  }

  /** Null when the session has just changed its owner, or was deleted meanwhile. */
  async #attempt(instanceId: string, pairing: PairingRequest): Promise<QrView | null> {
    const { registry, store, clock } = this.#options;
    const known = await registry.using(
      instanceId,
      () => store.find(instanceId),
      async (holder) =>
        holder.kind === "missing" ? "missing" as const : await this.#from(holder, instanceId, pairing),
    );
    if (known !== "missing") return known;
    // A row is made only for a session that may pair now; concurrent calls make it once, with one slot.
    const create = () => {
      pairing.reserve();
      return store.findOrCreate(instanceId, clock.now());
    };
    return await registry.using(
      instanceId,
      create,
      async (holder) => await this.#from(holder, instanceId, pairing),
    );
  }

  async #from(holder: Holder, instanceId: string, pairing: PairingRequest): Promise<QrView | null> {
    switch (holder.kind) {
      case "local":
        return await traced(
          "session obtain_qr",
          instanceId,
          () => this.#fromSupervisor(holder.supervisor, pairing),
        );
      case "remote":
        return await this.#fromOwner(holder, instanceId);
      case "missing":
        return null;
      default:
        return holder satisfies never;
    }
  }

  /** A QR of a session that another replica acts for; null when that one is gone. */
  async #fromOwner(
    { owner }: Extract<Holder, { kind: "remote" }>,
    instanceId: string,
  ): Promise<QrView | null> {
    const { reading, ownership, qrWaitMs } = this.#options;
    const shown = await reading.storedQr(instanceId);
    if (shown !== null) return shown;
    const answer = await askOwner(
      ownership,
      owner,
      instanceId,
      { type: "qr_requested" },
      qrWaitMs + COMMAND_MS,
      "QR_GENERATION_FAILED",
    );
    if (answer.kind === "lost") return null;
    return isQrView(answer.result) ? answer.result : await reading.storedQr(instanceId);
  }

  async #fromSupervisor(supervisor: Supervisor, pairing: PairingRequest): Promise<QrView> {
    const { clock } = this.#options;
    const timeout = Promise.withResolvers<void>();
    const cancel = clock.after(pairing.deadline - clock.steady(), timeout.resolve);
    try {
      // One that has shown QRs may be about to run out, and then another one is asked for.
      const isNew = supervisor.snapshot.session.qr.status !== "expired";
      for (let asked = false, waited = false;;) {
        // While a change waits for the store, the QR in memory may have lost its socket.
        if (supervisor.isStalled) await supervisor.unlessStalled(Promise.resolve());
        if (supervisor.isAbandoned) throw new FencedError(supervisor.instanceId);
        const { changed } = supervisor;
        const answer = qrAnswer(supervisor.snapshot, clock.now());
        switch (answer.kind) {
          case "qr":
            return viewQr(answer.qr);
          case "already_connected":
            throw waited && isBackAtLogin(supervisor.snapshot)
              ? new SessionManagerError("QR_GENERATION_FAILED")
              : new SessionManagerError("SESSION_ALREADY_CONNECTED");
          case "none":
            if (asked || (waited && isNew)) throw new SessionManagerError("QR_GENERATION_FAILED");
            asked = true;
            await this.#askForPairing(supervisor, pairing);
            break;
          case "pending":
            if (this.#isStopping || clock.steady() >= pairing.deadline) {
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

  /** Has a supervisor open a pairing, once for all calls that ask for it at the same time. @throws as its `submit` */
  async #askForPairing(supervisor: Supervisor, pairing: PairingRequest): Promise<void> {
    let asking = this.#asking.get(supervisor);
    if (asking === undefined) {
      asking = supervisor.submit({ type: "qr_requested" }, pairing.claimSlot())
        .finally(() => this.#asking.delete(supervisor));
      this.#asking.set(supervisor, asking);
    }
    await asking;
  }
}

/** Whether the pairing that was waited for is over, and the session is on its way back without it. */
function isBackAtLogin({ session, pairing }: SessionSnapshot): boolean {
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
  claimSlot(): PairingSlot | undefined {
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
