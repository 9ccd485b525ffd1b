/**
 * What goes on when the kill comes: pairings, drops, uploads of pre-keys and logouts, all at once, and the
 * moment at which the plan wants the kill.
 * @module
 */
import type { BinaryNode } from "@whiskeysockets/baileys";
import type { Hub } from "../hub.ts";
import type { EventKind, Gateway } from "../simulator/mod.ts";
import type { Actor } from "./actor.ts";
import type { Plan } from "./plan.ts";
import { pause } from "./random.ts";
import type { Watcher } from "./watcher.ts";

/** How long the kill waits for the moment it is aimed at, in milliseconds; afterwards it comes anyway. */
const PATIENCE_MS = 120_000;

/** Who plays which part in a round. */
export interface Cast {
  /** To be paired; the first is the one that is aimed at. */
  readonly pairing: readonly [Actor, ...Actor[]];
  readonly dropped: readonly Actor[];
  readonly uploading: readonly Actor[];
  readonly leaving: readonly Actor[];
}

/** A scene under way. */
export interface Scene {
  /** The moment of the kill; rejects when it did not come in time. */
  readonly moment: Promise<void>;
  /** Resolves when nobody does anything any more, which after a kill is soon. */
  readonly over: Promise<void>;
}

export interface Stage {
  readonly gateway: Gateway;
  readonly hub: Hub;
  readonly watcher: Watcher;
  /** Hears of answers that no Hub should get from a living service. */
  readonly onFault: (what: string) => void;
}

/** Begins a scene. */
export function play(stage: Stage, plan: Plan, cast: Cast): Scene {
  const script = new Script(stage, plan, cast);
  script.open();
  const moment = script.moment(); // before anything is done, or it could be missed
  moment.catch(() => {});
  return { moment, over: script.act() };
}

class Script {
  readonly #stage: Stage;
  readonly #plan: Plan;
  readonly #cast: Cast;
  readonly #dropped = Promise.withResolvers<void>();
  readonly #leaving = Promise.withResolvers<void>();

  constructor(stage: Stage, plan: Plan, cast: Cast) {
    this.#stage = stage;
    this.#plan = plan;
    this.#cast = cast;
  }

  open(): void {
    for (const actor of this.#cast.pairing) {
      actor.beginPairing();
      this.#stage.watcher.stare(actor);
    }
  }

  async moment(): Promise<void> {
    const overdue = Promise.withResolvers<never>();
    const timer = setTimeout(() => overdue.reject(new Error("The moment did not come.")), PATIENCE_MS);
    const isOver = () => performance.now() >= end;
    const end = performance.now() + PATIENCE_MS;
    try {
      await Promise.race([this.#event(isOver), overdue.promise]);
    } finally {
      clearTimeout(timer);
    }
    if (this.#plan.delayMs > 0) await pause(this.#plan.delayMs);
  }

  async act(): Promise<void> {
    const { pairing } = this.#cast;
    if (this.#plan.dropsEarly) this.#drop();
    const qrs = await Promise.all(pairing.map((actor) => this.#askForQr(actor)));
    if (!this.#plan.dropsEarly) this.#drop();
    this.#announceShortage();
    const scans = pairing.map(async (actor, index) => {
      if (index > 0) await pause(this.#plan.laterScanMs);
      await this.#scan(actor, qrs[index] ?? null);
    });
    await Promise.all([...scans, this.#leave()]);
  }

  async #event(isOver: () => boolean): Promise<void> {
    const { pairing: [principal], dropped } = this.#cast;
    const { gateway } = this.#stage;
    const phone = principal.phone.number;
    const seen = async (kind: EventKind) => {
      await gateway.when(kind, { phone, timeoutMs: PATIENCE_MS });
    };
    switch (this.#plan.aim) {
      case "random":
        return await seen("scanned");
      case "scanned":
      case "paired":
      case "login":
      case "online":
        return await seen(this.#plan.aim);
      case "connecting":
        return await principal.firstWordOf("connecting");
      case "connected":
        return await principal.firstWordOf("connected");
      case "prekeys": {
        // The gateway has no event for it, only a count.
        const before = gateway.stats.preKeysUploaded;
        while (gateway.stats.preKeysUploaded === before && !isOver()) await pause(0);
        return;
      }
      case "drop":
        return await this.#dropped.promise;
      case "back": {
        if (dropped.length === 0) return await seen("login");
        const back = dropped.map((actor) =>
          gateway.when("login", { phone: actor.phone.number, timeoutMs: PATIENCE_MS })
        );
        await Promise.any(back);
        return;
      }
      case "logout":
        return await this.#leaving.promise;
      case "start":
        return; // no scene is played for it
      default:
        return this.#plan.aim satisfies never;
    }
  }

  async #askForQr(actor: Actor): Promise<string | null> {
    try {
      const { status, body } = await this.#stage.hub.requestQr(actor.instanceId);
      if (status === 200) return (body as { qr_string: string }).qr_string;
      this.#stage.onFault(
        `POST /qr for ${actor.instanceId} was answered ${status}: ${JSON.stringify(body)}`,
      );
    } catch {
      // Killed meanwhile.
    }
    return null;
  }

  async #scan(actor: Actor, qr: string | null): Promise<void> {
    if (qr === null) return;
    try {
      const { outcome } = await actor.phone.scan(qr);
      actor.tell(`the phone says ${outcome}`);
    } catch (error) {
      this.#stage.onFault(`The scan for ${actor.instanceId} failed: ${(error as Error).message}`);
    }
  }

  #drop(): void {
    for (const [index, actor] of this.#cast.dropped.entries()) {
      actor.tell("its connection is dropped");
      this.#stage.gateway.drop(actor.phone, this.#plan.drops[index]);
    }
    this.#dropped.resolve();
  }

  #announceShortage(): void {
    for (const actor of this.#cast.uploading) {
      actor.tell("it is told that it is short of pre-keys");
      this.#stage.gateway.notify(actor.phone, shortage());
    }
  }

  async #leave(): Promise<void> {
    const leaving = this.#cast.leaving.map((actor, index) =>
      this.#plan.logouts[index] === "phone" ? this.#unlink(actor) : this.#logOut(actor)
    );
    this.#leaving.resolve();
    await Promise.all(leaving);
  }

  async #unlink(actor: Actor): Promise<void> {
    actor.standing = { kind: "leaving", by: "phone", device: actor.device, answered: true };
    await actor.phone.unlink();
  }

  async #logOut(actor: Actor): Promise<void> {
    actor.standing = { kind: "leaving", by: "event", device: actor.device, answered: false };
    actor.tell("a LOGOUT event is sent");
    try {
      const { status, body } = await this.#stage.hub.disconnected(actor.instanceId, "LOGOUT");
      actor.tell(`the LOGOUT event is answered ${status}`);
      if (status === 200) actor.standing = { ...actor.standing, answered: true };
      else {this.#stage.onFault(
          `LOGOUT of ${actor.instanceId} was answered ${status}: ${JSON.stringify(body)}`,
        );}
    } catch {
      // Killed meanwhile: nobody knows whether it was heard.
    }
  }
}

/** WhatsApp's word that a device has hardly any pre-keys left. */
function shortage(): BinaryNode {
  return {
    tag: "notification",
    attrs: {
      id: crypto.randomUUID(),
      type: "encrypt",
      from: "s.whatsapp.net",
      t: String(Math.floor(Date.now() / 1_000)),
    },
    content: [{ tag: "count", attrs: { value: "1" } }],
  };
}
