import assert from "node:assert/strict";
import fc from "fast-check";
import type { LogFields } from "../../runtime/log.ts";
import type { Socket, SocketEvent } from "../../sessions/ports/sockets.ts";
import { type WatchOptions, WorkerPool } from "../../whatsapp/worker_pool.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import type { WorkerEvent } from "../../whatsapp/protocol.ts";
import { settled } from "../sessions/scripted_sockets.ts";
import type { SocketScript } from "./pool_worker.ts";

const WATCH = { heartbeatMs: 5_000, hangMs: 15_000, startMs: 15_000, unendedMs: 15_000 };
const SECONDS = 25;
/** The one worker is asked after 5 s, and its heartbeat is overdue 15 s later; its successor is asked at 25 s. */
const LOST_AT = [20_000];

/** A pool whose workers never answer, for that long; when workers were lost, in milliseconds. */
async function losses(stepAt: (second: number) => number): Promise<number[]> {
  const clock = new DrivenClock();
  const start = clock.steady();
  const lostAt: number[] = [];
  const notice = ({ event, end }: LogFields) => {
    if (event !== "worker_lost") return;
    assert.equal(end, "hung");
    lostAt.push(clock.steady() - start);
  };
  const pool = new WorkerPool({
    size: 1,
    settings: { url: "ws://127.0.0.1:1", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock,
    log: { debug: notice, info: notice, warn: notice, error: notice },
    watch: WATCH,
    script: new URL("./silent_worker.ts", import.meta.url),
  });
  pool.start();
  for (let second = 0; second < SECONDS; second++) {
    clock.setWall(stepAt(second));
    clock.advance(1_000);
    await settled();
  }
  const stopping = pool.stop();
  clock.advance(3_000); // an answer is waited for so long
  await stopping;
  assert.equal(clock.pending, 0);
  return lostAt;
}

Deno.test("WorkerPool gives a worker up at the same moment when the wall clock is set forward or back", async () => {
  assert.deepEqual(await losses(() => 0), LOST_AT);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: -86_400_000, max: 86_400_000 }), { minLength: SECONDS, maxLength: SECONDS }),
      async (steps) => assert.deepEqual(await losses((second) => steps[second] ?? 0), LOST_AT),
    ),
    { numRuns: 5 },
  );
});

/** A pool over scripted workers, whose time the test drives. */
class PoolUnderTest implements AsyncDisposable {
  readonly clock = new DrivenClock();
  readonly pool: WorkerPool;
  readonly lines: LogFields[] = [];
  readonly #awaited = new Map<string, (line: LogFields) => void>();

  constructor(size: number, watch: Partial<WatchOptions> = {}) {
    const note = (line: LogFields) => {
      this.lines.push(line);
      this.#awaited.get(line.event)?.(line);
    };
    this.pool = new WorkerPool({
      size,
      settings: { url: "ws://127.0.0.1:1", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
      clock: this.clock,
      log: { debug: note, info: note, warn: note, error: note },
      watch,
      script: new URL("./pool_worker.ts", import.meta.url),
    });
    this.pool.start();
  }

  /** Opens a socket that does this. */
  open(script: SocketScript = {}): { socket: Socket; heard: SocketEvent[]; closed: Promise<void> } {
    const heard: SocketEvent[] = [];
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    const socket = this.pool.open({ kind: "login", credentials: JSON.stringify(script) }, {
      onEvent: (event) => {
        heard.push(event);
        if (event.type === "closed") resolve();
      },
      onRequest: () => Promise.reject(new Error("Nothing is stored.")),
    });
    return { socket, heard, closed };
  }

  /** Resolves at the next line of this event, once everything has happened that comes with it. */
  async line(event: string): Promise<LogFields> {
    const { promise, resolve } = Promise.withResolvers<LogFields>();
    this.#awaited.set(event, resolve);
    const line = await promise;
    await settled();
    return line;
  }

  /** Ends a worker by a socket of its own. */
  async crash(): Promise<void> {
    const lost = this.line("worker_lost");
    this.open({ crash: true });
    assert.equal((await lost).end, "crashed");
  }

  /** Lets a heartbeat of every worker be asked for and answered: each has carried a socket to its end after it. */
  async heartbeat(): Promise<void> {
    this.clock.advance(HEARTBEAT_MS);
    const sockets = this.pool.load.map(() => this.open(UNHEARD));
    await Promise.all(sockets.map(({ socket }) => socket.gone));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.stop();
    assert.equal(this.clock.pending, 0, "no timer is left");
  }
}

const HEARTBEAT_MS = 5_000;
const LOST: SocketEvent = { type: "closed", cause: { origin: "worker" } };
const UNANSWERED: WorkerEvent = { type: "closed", cause: { origin: "client", code: 408 } };
const UNHEARD: SocketScript = {
  events: [{ type: "closed", cause: { origin: "network" } }],
  gone: true,
};

Deno.test("open() puts a socket on the worker that carries the fewest", async () => {
  await using test = new PoolUnderTest(2);
  const [first] = [test.open(), test.open(), test.open()];
  assert.deepEqual(test.pool.load, [2, 1]);
  test.open();
  first.socket.close({ unlink: true });
  assert.deepEqual(test.pool.load, [2, 2], "a connection that is going down counts");
  assert.deepEqual(await first.socket.gone, { unlinked: true });
  assert.deepEqual(test.pool.load, [1, 2]);
});

Deno.test("open() passes a socket's events on in their order, and none after close()", async () => {
  await using test = new PoolUnderTest(1);
  const events = [
    { type: "identified", jid: "5491155550001:1@s.whatsapp.net" },
    { type: "connected", jid: "5491155550001:1@s.whatsapp.net" },
    { type: "closed", cause: { origin: "network", status: 503 } },
  ] as const;
  const told = test.open({ events, gone: true });
  await told.socket.gone;
  assert.deepEqual(told.heard, events);
  const closed = test.open({ events: events.slice(0, 2) });
  closed.socket.close({ unlink: false });
  assert.deepEqual(await closed.socket.gone, { unlinked: false });
  assert.deepEqual(closed.heard, []);
});

Deno.test("heardAt is known once a heartbeat has told it, for as long as the socket is open", async () => {
  await using test = new PoolUnderTest(1, { heartbeatMs: HEARTBEAT_MS });
  const { socket } = test.open();
  assert.equal(socket.heardAt, null);
  const before = test.clock.now();
  await test.heartbeat();
  assert.ok(socket.heardAt! >= before && socket.heardAt! <= test.clock.now());
  socket.close({ unlink: false });
  await socket.gone;
  assert.equal(socket.heardAt, null);
});

Deno.test("WorkerPool replaces a worker immediately when it crashes, and later when its successor crashes soon", async () => {
  await using test = new PoolUnderTest(1);
  const other = test.open();
  await test.crash();
  assert.deepEqual(other.heard, [LOST]);
  assert.deepEqual(await other.socket.gone, { unlinked: false });
  assert.deepEqual([test.pool.running, test.pool.restarts], [1, 1]);

  await test.crash();
  assert.deepEqual([test.pool.running, test.pool.isManned, test.pool.restarts], [0, false, 2]);
  const unmanned = test.open();
  await unmanned.closed;
  assert.deepEqual(unmanned.heard, [LOST]);
  assert.deepEqual(await unmanned.socket.gone, { unlinked: false });
  unmanned.socket.close({ unlink: true });

  test.clock.advance(30_000);
  assert.equal(test.pool.running, 1);
  const next = test.open(UNHEARD);
  assert.deepEqual(await next.socket.gone, { unlinked: false });
  assert.notDeepEqual(next.heard, [LOST]);
});

Deno.test("WorkerPool replaces a worker immediately each time when each has lasted", async () => {
  await using test = new PoolUnderTest(1, { heartbeatMs: 86_400_000 });
  for (let times = 1; times <= 4; times++) {
    test.clock.advance(10_000);
    await test.crash();
    assert.deepEqual([test.pool.running, test.pool.restarts], [1, times]);
  }
});

Deno.test("WorkerPool replaces one worker and leaves the others alone when it grows too large", async () => {
  await using test = new PoolUnderTest(2, { heartbeatMs: HEARTBEAT_MS, memoryLimitBytes: 1_000 });
  const [large, other] = [test.open({ memoryBytes: 1_001 }), test.open()];
  await test.heartbeat();
  assert.deepEqual(test.pool.memory, [1_001, 1]);
  const lost = test.line("worker_lost");
  test.clock.advance(HEARTBEAT_MS);
  assert.equal((await lost).end, "out_of_memory");
  assert.deepEqual(large.heard, [LOST]);
  assert.deepEqual([other.heard, test.pool.load], [[], [0, 1]]);
});

Deno.test("WorkerPool gives new sockets to a new worker when the old one's were left unanswered", async () => {
  await using test = new PoolUnderTest(1, { heartbeatMs: HEARTBEAT_MS, unansweredLimit: 2 });
  const kept = test.open();
  const unanswered = [0, 1].map(() => test.open({ events: [UNANSWERED], gone: true }));
  await Promise.all(unanswered.map(({ socket }) => socket.gone));
  const retired = test.line("worker_retired");
  test.clock.advance(HEARTBEAT_MS);
  assert.deepEqual(await retired, { event: "worker_retired", unanswered: 2, sockets: 1 });
  assert.deepEqual([test.pool.load, test.pool.restarts], [[0], 1]);
  // The old one keeps what it carries.
  assert.deepEqual(kept.heard, []);
  await test.heartbeat();
  kept.socket.close({ unlink: true });
  assert.deepEqual(await kept.socket.gone, { unlinked: true });
  assert.deepEqual(test.lines.map(({ event }) => event), ["worker_retired"]);
});

Deno.test("stop() closes every socket and calls no listener", async () => {
  const test = new PoolUnderTest(2);
  const sockets = [test.open(), test.open(), test.open()];
  await test[Symbol.asyncDispose]();
  assert.deepEqual(await Promise.all(sockets.map(({ socket }) => socket.gone)), [
    { unlinked: false },
    { unlinked: false },
    { unlinked: false },
  ]);
  assert.deepEqual(sockets.map(({ heard }) => heard), [[], [], []]);
  assert.deepEqual(test.lines, []);
});
