/**
 * How time passes in a stampede: by itself, or when the drill says so, and then only once everything has been done
 * that was to be done by that moment. What is counted by the second does not depend on the machine then.
 * @module
 */
import type { SessionSnapshot } from "../../domain/snapshot.ts";
import { type Clock, systemClock } from "../../runtime/clock.ts";
import { DrivenClock } from "../clocks/driven_clock.ts";
import { type Stage, until } from "./chaos_stage.ts";
import { pause } from "./random.ts";

export interface StampedeTime {
  /** What the service goes by. */
  readonly clock: Clock;
  /** Follows this service. */
  attend(stage: Stage): void;
  /** Lets so many milliseconds pass. */
  pass(ms: number): Promise<void>;
  /**
   * Lets time pass until it is so.
   * @throws {Error} when it is not so after `patienceMs`
   */
  until(isSo: () => boolean, patienceMs: number, what: string): Promise<void>;
}

/** The machine's own time, whose wall clock nobody sets: it goes on as the steady one does. */
export const realTime: StampedeTime = {
  clock: { ...systemClock, now: () => performance.timeOrigin + performance.now() },
  attend: () => {},
  pass: pause,
  until,
};

/** In milliseconds. */
const STEP_MS = 10;
/** Workers count their own time, which goes on meanwhile: this is how far they may come, in milliseconds. */
const AHEAD_MS = 3_600_000;
/** How long the service may take to do what is to be done at one moment, in milliseconds: it only ends what hangs. */
const PATIENCE_MS = 300_000;

export class DrivenTime implements StampedeTime {
  readonly clock = new DrivenClock();
  readonly #snapshots = new Map<string, SessionSnapshot>();
  #stage: Stage | null = null;
  #longestQueue = 0;

  /** The most sessions that waited for their turn at any moment. */
  get longestQueue(): number {
    return this.#longestQueue;
  }

  attend(stage: Stage): void {
    this.#stage = stage;
    // What a worker tells of a time that has not come is a lie.
    this.clock.advance(AHEAD_MS);
    stage.service.sessions.onChange(({ after }) => void this.#snapshots.set(after.session.instanceId, after));
  }

  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.clock.advance(Math.min(left, STEP_MS));
      await this.#rest();
    }
  }

  async until(isSo: () => boolean, patienceMs: number, what: string): Promise<void> {
    for (let passed = 0;; passed += STEP_MS) {
      await this.#rest();
      if (isSo()) return;
      if (passed > patienceMs) throw new Error(`Waited ${patienceMs} ms in vain: ${what}.`);
      this.clock.advance(STEP_MS);
    }
  }

  #rest(): Promise<void> {
    return until(() => this.#isAtRest(), PATIENCE_MS, "everything done that was to be done by now");
  }

  /** Whether every session is where it stays until time passes. */
  async #isAtRest(): Promise<boolean> {
    let queued = 0;
    for (const { login, pairing } of this.#snapshots.values()) {
      if (pairing.kind !== "none") return false;
      switch (login.kind) {
        case "idle":
        case "open":
          break;
        case "queued":
          queued++;
          break;
        case "waiting":
          if (login.until <= this.clock.steady()) return false;
          break;
        default:
          return false;
      }
    }
    const response = await fetch(`${this.#stage!.origin}/metrics`);
    const [, length] = /^session_manager_login_queue_length (\d+)$/m.exec(await response.text()) ?? [];
    this.#longestQueue = Math.max(this.#longestQueue, queued);
    // One that is no longer in the queue is about to log in.
    return queued === Number(length);
  }
}
