/**
 * Eyes on the front door: asks for every instance again and again, as fast as is reasonable.
 * @module
 */
import { QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import type { SessionView } from "@session-manager/contract";
import type { Hub } from "../hub.ts";
import type { Actor } from "./actor.ts";
import { pause } from "./random.ts";

/** How long the round over the quiet instances rests after each, in milliseconds. */
const LAP_REST_MS = 15;

export class Watcher {
  readonly #hub: Hub;
  readonly #onFault: (what: string) => void;
  readonly #loops: Promise<void>[] = [];
  #stopped = false;

  /** @param onFault hears of answers that no Hub should ever get */
  constructor(hub: Hub, onFault: (what: string) => void) {
    this.#hub = hub;
    this.#onFault = onFault;
  }

  /** Asks for these one after the other, with a rest after each round. */
  watch(actors: () => readonly Actor[]): void {
    this.#loops.push(this.#loop(async () => {
      for (const actor of actors()) {
        if (this.#stopped) return;
        if (await this.look(actor) === null) break; // nobody listens yet, or any more
      }
      await pause(LAP_REST_MS);
    }));
  }

  /** Asks for this one without a rest: something is about to happen to it. */
  stare(actor: Actor): void {
    this.#loops.push(this.#loop(async () => void await this.look(actor)));
  }

  /** One question; null when there is no such session, or nobody to answer. */
  async look(actor: Actor): Promise<SessionView | null> {
    const askedAt = performance.now();
    let answer;
    try {
      answer = await this.#hub.get(actor.instanceId);
    } catch {
      return null; // the service has been killed, and the drill sees to the rest
    }
    if (answer.status === 404) return null;
    if (answer.status !== 200) {
      this.#onFault(`GET ${actor.instanceId} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      return null;
    }
    const view = answer.body as SessionView;
    if (!isLegal(view)) this.#onFault(`GET ${actor.instanceId} was answered ${JSON.stringify(view)}`);
    actor.hear(view, askedAt);
    return view;
  }

  /** The service is gone: no more questions. Resolves when every answer that it still gave has been heard. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#loops.splice(0));
  }

  async #loop(lap: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      await lap();
      await pause(0);
    }
  }
}

function isLegal({ status, qr_status, qr_string }: SessionView): boolean {
  const isShown = qr_status === "generated";
  return SESSION_STATUSES.includes(status) && QR_STATUSES.includes(qr_status) &&
    (qr_string !== null) === isShown && (!isShown || status === "qr_required");
}
