import assert from "node:assert/strict";
import {
  CredentialsUnreadableError,
  type RetiredLogin,
  type RetiredLoginStore,
  StoreUnavailableError,
} from "../../sessions/ports/store.ts";
import { Logins } from "../../sessions/logins.ts";
import { Unlinker, UNLINKER_BOUNDS, type UnlinkOutcome } from "../../sessions/unlinker.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { ScriptedSockets, settled } from "./scripted_sockets.ts";

/** Logins that wait, as one replica sees them. */
class Waiting implements RetiredLoginStore {
  readonly logins = new Map<string, { login: RetiredLogin; dueAt: number; text: string | null }>();
  /** Every claim and pause, by login. */
  readonly pauses: [string, number][] = [];
  isDown = false;
  readonly #clock: DrivenClock;

  constructor(clock: DrivenClock) {
    this.#clock = clock;
  }

  add(id: string, text: string | null = `login of ${id}`, retiredAt = this.#clock.now(), attempts = 0): void {
    const login = { id, instanceId: `sender_${id}`, attempts, retiredAt };
    this.logins.set(id, { login, dueAt: this.#clock.steady(), text });
  }

  dueRetiredLogins(limit: number): Promise<RetiredLogin[]> {
    if (this.isDown) return Promise.reject(new StoreUnavailableError());
    const due = [...this.logins.values()].filter(({ dueAt }) => dueAt <= this.#clock.steady());
    return Promise.resolve(due.slice(0, limit).map(({ login }) => login));
  }

  findRetiredLogin(id: string): Promise<RetiredLogin | null> {
    return Promise.resolve(this.logins.get(id)?.login ?? null);
  }

  claimRetiredLogin(login: RetiredLogin, pauseMs: number): Promise<boolean> {
    const row = this.logins.get(login.id);
    if (row === undefined || row.login.attempts !== login.attempts) return Promise.resolve(false);
    row.login = { ...row.login, attempts: row.login.attempts + 1 };
    return this.postponeRetiredLogin(login.id, pauseMs).then(() => true);
  }

  loadRetiredLogin(id: string): Promise<string | null> {
    const text = this.logins.get(id)?.text;
    if (text === null) return Promise.reject(new CredentialsUnreadableError(id));
    return Promise.resolve(text ?? null);
  }

  postponeRetiredLogin(id: string, pauseMs: number): Promise<void> {
    this.pauses.push([id, pauseMs]);
    const row = this.logins.get(id);
    if (row !== undefined) row.dueAt = this.#clock.steady() + pauseMs;
    return Promise.resolve();
  }

  forgetRetiredLogin(id: string): Promise<void> {
    this.logins.delete(id);
    return Promise.resolve();
  }

  countRetiredLogins(): Promise<number> {
    return Promise.resolve(this.logins.size);
  }
}

const QUIET = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function world() {
  const clock = new DrivenClock();
  const store = new Waiting(clock);
  const sockets = new ScriptedSockets();
  const logins = new Logins();
  const outcomes: UnlinkOutcome[] = [];
  const unlinker = new Unlinker({
    store,
    sockets,
    logins,
    clock,
    log: QUIET,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  const pass = async (ms: number) => {
    await settled();
    clock.advance(ms);
    await settled();
  };
  return { clock, store, sockets, logins, outcomes, unlinker, pass };
}

async function stop(unlinker: Unlinker, sockets: ScriptedSockets): Promise<void> {
  const stopped = unlinker.stop();
  await settled();
  for (const socket of sockets.opened) socket.goes();
  await stopped;
}

Deno.test("Unlinker unlinks a login that waits, and forgets it once WhatsApp has confirmed it", async () => {
  const { store, sockets, outcomes, unlinker, pass } = world();
  store.add("a");
  unlinker.start();
  await pass(0);
  const socket = sockets.last("unlink");
  assert.deepEqual(socket.purpose, { kind: "unlink", credentials: "login of a" });
  assert.equal(store.logins.size, 1);
  socket.goes(true);
  await pass(0);
  assert.equal(store.logins.size, 0);
  assert.deepEqual(outcomes, ["unlinked"]);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker tries again after 30 s while WhatsApp answers, and after 60 s while it does not", async () => {
  for (
    const [cause, pauseMs] of [
      [{ origin: "whatsapp", code: 503 }, UNLINKER_BOUNDS.answeredPauseMs],
      [{ origin: "network" }, UNLINKER_BOUNDS.unansweredPauseMs],
    ] as const
  ) {
    const { store, sockets, outcomes, unlinker, pass } = world();
    store.add("a");
    unlinker.start();
    await pass(0);
    sockets.last("unlink").listener.onEvent({ type: "closed", cause }, 0);
    sockets.last("unlink").goes();
    await pass(pauseMs - UNLINKER_BOUNDS.lookMs);
    assert.equal(sockets.opened.length, 1);
    await pass(2 * UNLINKER_BOUNDS.lookMs);
    assert.equal(sockets.opened.length, 2);
    assert.deepEqual(outcomes, ["failed"]);
    await stop(unlinker, sockets);
  }
});

Deno.test("Unlinker makes no connection of a login before the login's own is down", async () => {
  const { store, sockets, unlinker, pass } = world();
  unlinker.start();
  await pass(0);
  const retirement = unlinker.expect("a");
  store.add("a");
  const gone = Promise.withResolvers<{ unlinked: boolean }>();
  retirement.retired(gone.promise);
  await pass(10 * UNLINKER_BOUNDS.lookMs);
  assert.equal(sockets.opened.length, 0);
  gone.resolve({ unlinked: false });
  await pass(0);
  assert.equal(sockets.opened.length, 1);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker makes no connection when WhatsApp has confirmed it on the login's own", async () => {
  const { store, sockets, outcomes, unlinker, pass } = world();
  const retirement = unlinker.expect("a");
  store.add("a");
  retirement.retired(Promise.resolve({ unlinked: true }));
  await pass(0);
  assert.equal(store.logins.size, 0);
  assert.equal(sockets.opened.length, 0);
  assert.deepEqual(outcomes, ["unlinked"]);
  await stop(unlinker, sockets);
});

Deno.test("cancel() leaves a login to be found when its retirement was not written", async () => {
  const { store, sockets, unlinker, pass } = world();
  unlinker.expect("a").cancel();
  store.add("a");
  unlinker.start();
  await pass(0);
  assert.equal(sockets.opened.length, 1);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker leaves a login alone that a session of this process uses", async () => {
  const { store, sockets, logins, outcomes, unlinker, pass } = world();
  logins.use("copy", "5491155550001:1@s.whatsapp.net");
  store.add("a");
  unlinker.start();
  await pass(0);
  const socket = sockets.last("unlink");
  socket.listener.onEvent({ type: "identified", jid: "5491155550001:1@s.whatsapp.net" }, 0);
  assert.deepEqual(socket.closed, { unlink: false });
  socket.goes();
  await pass(0);
  assert.equal(store.logins.size, 0);
  assert.deepEqual(outcomes, ["contested"]);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker gives a login up after 30 days, and keeps one that cannot be opened until then", async () => {
  const { clock, store, sockets, outcomes, unlinker, pass } = world();
  store.add("old", "login", clock.now() - UNLINKER_BOUNDS.giveUpMs - 1, UNLINKER_BOUNDS.leastAttempts);
  store.add("sealed", null);
  unlinker.start();
  await pass(0);
  assert.deepEqual([...store.logins.keys()], ["sealed"]);
  assert.deepEqual(outcomes.toSorted(), ["given_up", "unreadable"]);
  assert.equal(sockets.opened.length, 0);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker gives no login up because the wall clock was set forward", async () => {
  const { clock, store, sockets, outcomes, unlinker, pass } = world();
  store.add("a");
  clock.setWall(UNLINKER_BOUNDS.giveUpMs * 12);
  unlinker.start();
  await pass(0);
  sockets.last("unlink").goes(true);
  await pass(0);
  assert.deepEqual(outcomes, ["unlinked"]);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker makes two attempts at a time, and goes on with the next when one is over", async () => {
  const { store, sockets, unlinker, pass } = world();
  for (const id of ["a", "b", "c"]) store.add(id);
  unlinker.start();
  await pass(0);
  assert.equal(sockets.opened.length, 2);
  sockets.opened[0]?.goes(true);
  await pass(0);
  assert.equal(sockets.opened.length, 3);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker makes no attempt that another replica was first to claim", async () => {
  const { store, sockets, unlinker, pass } = world();
  store.add("a");
  store.claimRetiredLogin = () => Promise.resolve(false);
  unlinker.start();
  await pass(0);
  assert.equal(sockets.opened.length, 0);
  await stop(unlinker, sockets);
});

Deno.test("Unlinker goes on looking when the database was away", async () => {
  const { store, sockets, unlinker, pass } = world();
  store.isDown = true;
  store.add("a");
  unlinker.start();
  await pass(UNLINKER_BOUNDS.lookMs);
  assert.equal(sockets.opened.length, 0);
  store.isDown = false;
  await pass(UNLINKER_BOUNDS.lookMs);
  assert.equal(sockets.opened.length, 1);
  await stop(unlinker, sockets);
});

Deno.test("stop() ends every attempt, and leaves the login to wait", async () => {
  const { store, sockets, unlinker, pass } = world();
  for (const id of ["a", "b", "c"]) store.add(id);
  unlinker.start();
  await pass(0);
  await stop(unlinker, sockets);
  assert.deepEqual(sockets.opened.map(({ closed }) => closed), [{ unlink: false }, { unlink: false }]);
  assert.equal(store.logins.size, 3);
});
