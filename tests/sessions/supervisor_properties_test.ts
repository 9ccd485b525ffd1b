import assert from "node:assert/strict";
import fc from "fast-check";
import { DISCONNECT_REASONS } from "@session-manager/contract";
import type { SessionEvent } from "../../domain/events.ts";
import type { Policy } from "../../domain/snapshot.ts";
import { type ScriptedSocket, settled } from "./scripted_sockets.ts";
import { DROPPED, JID, LOGGED_OUT, ONE, POLICY, RESTART } from "./stage.ts";
import { Supervised } from "./supervised.ts";

/** One thing that happens around a supervisor. `socket` counts back from the last one that was opened. */
type Step =
  | { readonly kind: "submit"; readonly event: SessionEvent }
  | { readonly kind: "store"; readonly mood: "well" | "away" | "unanswered" | "held" }
  | { readonly kind: "shows" | "logs_in" | "scans" | "saves_keys" | "goes"; readonly socket: number }
  | { readonly kind: "ends"; readonly socket: number; readonly cause: typeof DROPPED }
  | { readonly kind: "passes"; readonly ms: number }
  | { readonly kind: "presence"; readonly isPresent: boolean }
  | { readonly kind: "is_taken" };

const sockets = fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 1, max: 3 }));
const events: fc.Arbitrary<SessionEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ type: "qr_requested" } as const) },
  fc.constant({ type: "restored" } as const),
  fc.constant({ type: "connected", phoneNumber: null, source: "internal" } as const),
  fc.constantFrom(...DISCONNECT_REASONS).map((reason) => ({ type: "disconnected", reason } as const)),
);
const causes = fc.constantFrom(
  DROPPED,
  RESTART,
  LOGGED_OUT,
  { origin: "whatsapp", code: 440 } as const,
  { origin: "whatsapp", code: 403 } as const,
);
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: events.map((event) => ({ kind: "submit", event } as const)) },
  {
    weight: 2,
    arbitrary: fc.constantFrom("well", "well", "away", "unanswered", "held").map((mood) =>
      ({ kind: "store", mood }) as const
    ),
  },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constantFrom("shows", "logs_in", "logs_in", "scans", "scans", "saves_keys", "goes"),
      socket: sockets,
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("ends" as const), socket: sockets, cause: causes }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(0, 100, 2_500, 5_000, 20_000, 60_000, 120_000).map((ms) =>
      ({ kind: "passes", ms }) as const
    ),
  },
);
/** The same, and the session may be lost. */
const anySteps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: steps },
  { weight: 1, arbitrary: fc.constant({ kind: "is_taken" } as const) },
  {
    weight: 1,
    arbitrary: fc.boolean().map((isPresent) => ({ kind: "presence", isPresent } as const)),
  },
);

/** Steps that lead somewhere only one after the other. */
const journeys: fc.Arbitrary<readonly Step[]> = fc.oneof(
  fc.constant(
    [
      { kind: "submit", event: { type: "restored" } },
      { kind: "logs_in", socket: 0 },
    ] as const,
  ),
  causes.map((cause) =>
    [
      { kind: "submit", event: { type: "qr_requested" } },
      { kind: "shows", socket: 0 },
      { kind: "scans", socket: 0 },
      { kind: "ends", socket: 0, cause },
    ] as const
  ),
  causes.map((cause) => [{ kind: "ends", socket: 0, cause }, { kind: "passes", ms: 5_000 }] as const),
);

/** Mostly single steps. */
function storiesOf(step: fc.Arbitrary<Step>): fc.Arbitrary<Step[]> {
  const parts = fc.oneof({ weight: 5, arbitrary: step.map((one) => [one]) }, {
    weight: 1,
    arbitrary: journeys,
  });
  return fc.array(parts, { minLength: 1, maxLength: 40 }).map((parts) => parts.flat());
}

/** Failures are soon forgotten, so that restarts are obeyed. */
const EVENTFUL: Policy = { ...POLICY, stableMs: 1_000 };

/** A supervisor to which anything happens, and what must hold whatever that is. */
class World extends Supervised {
  /** Whether the supervisor was told to stop. */
  isStopping = false;
  #logins = 0;
  /** Which login a pairing socket belongs to, once a phone has scanned there. */
  readonly #pairedTo = new Map<ScriptedSocket, string>();
  readonly #ended = new Set<ScriptedSocket>();
  /** What has been visible and durable, in its order. */
  readonly #durable: unknown[] = [this.session];

  constructor(found: "linked" | "new") {
    super(found, { policy: EVENTFUL });
    const { onSave } = this.store;
    this.store.onSave = (save) => {
      assert.equal(this.supervisor.isAbandoned, false, "written after it was abandoned");
      this.#durable.push(save.session);
      onSave(save);
    };
    const { onOpen } = this.sockets;
    this.sockets.onOpen = (socket) => {
      assert.equal(this.supervisor.isAbandoned, false, "opened after it was abandoned");
      assert.equal(this.ownership.holds(this.supervisor.lease), true, "opened without a lease that counts");
      this.#checkLogin(socket);
      onOpen(socket);
    };
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "submit":
        this.supervisor.submit(step.event).catch(() => {}); // told to its caller
        break;
      case "store":
        if (step.mood === "held") this.store.hold();
        else {
          this.store.mood = step.mood;
          this.store.resume();
        }
        break;
      case "passes":
        return await this.pass(step.ms);
      case "is_taken":
        this.ownership.assign(ONE, "another");
        break;
      case "presence":
        this.ownership.isPresent = step.isPresent;
        break;
      default: {
        const socket = this.sockets.opened.at(-1 - step.socket);
        if (socket !== undefined) this.#happens(socket, step);
      }
    }
    await settled();
  }

  #happens(socket: ScriptedSocket, step: Extract<Step, { readonly socket: number }>): void {
    if (step.kind === "goes") {
      // A connection goes down once it is over, be it by itself.
      if (socket.closed !== null || this.#ended.has(socket)) socket.goes();
      return;
    }
    // What a socket still has on its way when it is closed; after its own end, nothing.
    if (this.#ended.has(socket)) return;
    const isPairing = socket.purpose.kind === "pair";
    switch (step.kind) {
      case "shows":
        if (isPairing) this.tell(socket, { type: "qr", string: this.#qrOf(socket), ordinal: 0 });
        return;
      case "logs_in":
        if (isPairing) return;
        this.tell(socket, { type: "identified", jid: JID });
        return this.tell(socket, { type: "connected", jid: JID });
      case "scans": {
        if (!isPairing || this.#pairedTo.has(socket)) return;
        const login = `login ${++this.#logins}`;
        this.#pairedTo.set(socket, login);
        this.scan(socket, login).catch(() => {}); // told to the socket
        return;
      }
      case "saves_keys":
        if (isPairing) return;
        socket.listener.onRequest({
          type: "save_keys",
          keys: [{ type: "session", id: "1", value: "one" }],
        }).catch(() => {}); // told to the socket
        return;
      case "ends":
        this.#ended.add(socket);
        return this.tell(socket, { type: "closed", cause: step.cause });
      default:
        step.kind satisfies never;
    }
  }

  /** A login has one connection at a time, and the one that paired it counts. */
  #checkLogin(opened: ScriptedSocket): void {
    if (opened.purpose.kind !== "login") return;
    const login = opened.purpose.credentials;
    for (const other of this.sockets.opened) {
      if (other === opened || other.isDown) continue;
      const its = other.purpose.kind === "login" ? other.purpose.credentials : this.#pairedTo.get(other);
      assert.notEqual(its, login, "two connections of one login");
    }
  }

  #qrOf(socket: ScriptedSocket): string {
    return `data:image/png;base64,${this.sockets.opened.indexOf(socket)}`;
  }

  check(): void {
    const { snapshot } = this.supervisor;
    // What is visible has been durable before, and is not older than what was visible before it.
    const place = this.#durable.lastIndexOf(snapshot.session);
    assert.notEqual(place, -1, "visible, and not written");
    this.#durable.splice(0, place);
    for (const kind of ["pair", "login"] as const) {
      const atWork = this.open.filter((socket) => socket.purpose.kind === kind && !this.#ended.has(socket));
      assert.ok(atWork.length <= 1, `two sockets at work to ${kind}`);
    }
    const { qr } = snapshot.session;
    if (qr.status === "generated" && !this.supervisor.isAbandoned && !this.isStopping) {
      const showing = this.open.filter((socket) => this.#qrOf(socket) === qr.string);
      assert.equal(showing.length, 1, "a QR is shown whose socket was closed");
    }
    if (this.supervisor.isAbandoned) {
      assert.deepEqual(this.open.filter((socket) => !this.#ended.has(socket)), []);
    }
  }

  /** Lets everything come to its end: the store answers, and connections go down. */
  async rest(): Promise<void> {
    this.store.mood = "well";
    this.store.resume();
    for (let round = 0; round < 60; round++) {
      for (const socket of this.sockets.opened) {
        if (socket.closed !== null || this.#ended.has(socket)) socket.goes();
      }
      await this.pass(5_000);
      this.check();
    }
  }
}

Deno.test("whatever happens, what is visible was durable before, and a login has one connection at a time", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("linked", "new"),
      storiesOf(anySteps),
      async (found, steps) => {
        const world = new World(found);
        for (const step of steps) {
          await world.take(step);
          world.check();
        }
        world.isStopping = true;
        const stopping = world.supervisor.stop();
        await world.rest();
        await stopping;
        assert.deepEqual(world.open.filter((socket) => !socket.isDown), []);
        const { length } = world.store.saves;
        await world.pass(600_000);
        assert.equal(world.store.saves.length, length, "written after it was stopped");
      },
    ),
    { numRuns: 300 },
  );
});

Deno.test("once the store answers again, nothing waits for it and the row is what is visible", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("linked", "new"),
      storiesOf(steps),
      async (found, steps) => {
        const world = new World(found);
        for (const step of steps) await world.take(step);
        await world.rest();
        const { snapshot, isStalled, isAbandoned } = world.supervisor;
        const row = world.store.row(ONE);
        assert.deepEqual([isStalled, isAbandoned], [false, false]);
        assert.deepEqual(snapshot.session, row.session);
        assert.deepEqual([snapshot.link, snapshot.predecessor], [row.link, row.held !== null]);
        assert.equal(snapshot.session.status === "connecting" && snapshot.login.kind === "idle", false);
      },
    ),
    { numRuns: 300 },
  );
});
