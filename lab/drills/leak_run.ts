/**
 * Two instances go round and round. One stays linked: lost, restarted, refused, told of; its supervisor lives as long
 * as the drill, so that whatever it gathers shows. The other is unlinked and linked again, its QR left to expire.
 * After a warm-up and every so many cycles everything is weighed, with nothing left to run out.
 * @module
 */
import { isAtRest, type SessionSnapshot } from "../../domain/snapshot.ts";
import { inTurns, Stage, until } from "./chaos_stage.ts";
import { breakGround } from "./ground.ts";
import { GatewayProcess } from "./leak_gateway.ts";
import type { LeakRecord } from "./leak_record.ts";
import { total, weigh, type Weight, WorkerScales } from "./leak_scales.ts";
import { pause } from "./random.ts";

const WORKER = new URL("./leak_worker.ts", import.meta.url);
/** How long a socket shows each of its six QRs, in milliseconds; each may be shown for longer, or until it closes. */
const QR_MS = 500;
const QR_LIFE_MS = 60_000;
/** Longer than a login takes on a busy machine; the product's own is a minute. */
const LOGIN_MS = 30_000;
/** Longer than everything that the product itself may wait for in a cycle, and a minute for a busy machine. */
const PATIENCE_MS = 240_000;
/** A cycle that takes longer is told of with its story: it has run into a deadline of the product's. */
const SLOW_MS = 15_000;
/** How much of the log is kept for a cycle that fails or is slow, in lines. */
const STORY_LINES = 40;

/** How often the scales are read while they come to rest, in milliseconds. */
const READ_MS = 1_000;
/**
 * At rest is where no more timers are left than the lightest reading so far has, or none has run out for longer than
 * the minute that those of an ended socket last.
 */
const REST_MS = 75_000;
/** At rest is what has been, or not, by then, in milliseconds. */
const QUIET_MS = 600_000;
/** Each weight is the least of so many: what a collection leaves over, the next one takes. */
const WEIGHINGS = 5;

/** How often a session is told that it is connected, by other parts of the system, before it is told otherwise. */
const EVENTS = 8;

/** What a cycle does to an instance, which is linked before it and after it. */
export const CYCLE_KINDS = ["drop", "restart", "refused", "told", "unlink", "expiry"] as const;
export type CycleKind = typeof CYCLE_KINDS[number];

export interface LeakOptions {
  /** How many cycles are to be weighed in all, those of earlier runs included. */
  readonly cycles: number;
  /** How many come before the first sample of a run. */
  readonly warmUp: number;
  /** After how many there is a sample. */
  readonly every: number;
  /** Which kinds take turns. */
  readonly kinds: readonly CycleKind[];
  /** What has been weighed so far; every sample is added to it. */
  readonly record: LeakRecord;
  readonly onProgress?: (line: string) => void;
}

/** One run: as many cycles as are left. */
export async function runLeak(
  { cycles, warmUp, every, kinds, record, onProgress = () => {} }: LeakOptions,
): Promise<void> {
  const [run, done] = [record.nextRun, record.cycles];
  if (done >= cycles) return;
  await using gateway = await GatewayProcess.start();
  await using ground = (await breakGround("sqlite"))!;
  const story: string[] = [];
  let workersLost = 0;
  let workerFaults = 0;
  await using stage = await Stage.start({
    peer: gateway.peer,
    database: ground.environment,
    policy: {
      qrLife: { firstMs: QR_LIFE_MS, nextMs: QR_LIFE_MS },
      backoff: { baseMs: 20, quickMs: 200, capMs: 200 },
      stableMs: 50,
      loginMs: LOGIN_MS,
    },
    socketSettings: { qrMs: QR_MS },
    supervision: {
      workerScript: WORKER,
      logins: { perSecond: 1_000 },
      watch: { hangMs: PATIENCE_MS },
    },
    onLine: (line) => {
      const { event } = line;
      if (event !== "request") story.push(JSON.stringify({ ms: Math.round(performance.now()), ...line }));
      if (story.length > STORY_LINES) story.shift();
      if (event === "worker_lost" || event === "worker_retired") workersLost++;
      if (event === "worker_fault") workerFaults++;
    },
  });
  using scales = new WorkerScales();
  const lasting = new Circuit("leak-lasting", stage, gateway);
  const changing = new Circuit("leak-changing", stage, gateway);
  await lasting.link();
  await changing.link();
  const go = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const kind = kinds[i % kinds.length]!;
      const since = performance.now();
      const circuit = kind === "unlink" || kind === "expiry" ? changing : lasting;
      await circuit.go(kind).catch((error) => {
        throw new Error(`Cycle ${i + 1}, ${kind}, failed after\n${story.join("\n")}`, { cause: error });
      });
      const tookMs = Math.round(performance.now() - since);
      if (tookMs > SLOW_MS) {
        onProgress(`cycle ${i + 1}, ${kind}, took ${tookMs} ms:\n${story.join("\n")}`);
      }
    }
  };
  await go(warmUp);
  onProgress(`run ${run}: ${warmUp} cycles to warm up; ${done} of ${cycles} weighed before`);
  const rest = new Rest(scales);
  for (let cycle = 0;;) {
    const { service, worker } = await rest.reach();
    await until(async () => await gateway.connections() === 2, PATIENCE_MS, "two connections");
    await record.add({
      run,
      cycle,
      service,
      worker,
      rssBytes: Deno.memoryUsage().rss,
      connections: await gateway.connections(),
      sockets: stage.service.socketLoad().reduce((sum, load) => sum + load, 0),
      supervised: stage.service.sessions.supervised,
      workersLost,
      workerFaults,
    });
    onProgress(`${done + cycle} cycles; ${describeNow(worker, service)}`);
    const next = Math.min(every, cycles - done - cycle);
    if (next <= 0) return;
    await go(next);
    cycle += next;
  }
}

/** One instance. */
class Circuit {
  readonly #instanceId: string;
  readonly #stage: Stage;
  readonly #gateway: GatewayProcess;
  /** A new one for each link: a phone has numbers for no more than 255 devices. */
  #phone = "";

  constructor(instanceId: string, stage: Stage, gateway: GatewayProcess) {
    this.#instanceId = instanceId;
    this.#stage = stage;
    this.#gateway = gateway;
  }

  async go(kind: CycleKind): Promise<void> {
    switch (kind) {
      case "drop":
        return await this.#backAfter(() => this.#gateway.drop(this.#phone));
      case "restart":
        return await this.#backAfter(() => this.#gateway.restart(this.#phone));
      case "refused":
        await this.#gateway.refuseOnce();
        await this.#backAfter(() => this.#gateway.drop(this.#phone));
        return await this.#gateway.clearFaults();
      case "told":
        for (let i = 0; i < EVENTS; i++) await this.#stage.hub.connected(this.#instanceId, this.#phone);
        return await this.#backAfter(async () => {
          await this.#stage.hub.disconnected(this.#instanceId, "NETWORK");
        });
      case "unlink": {
        const gone = this.#next(({ session }) => session.status === "disconnected");
        await this.#gateway.unlink(this.#phone);
        await gone;
        return await this.link();
      }
      case "expiry": {
        await this.#stage.hub.disconnected(this.#instanceId, "LOGOUT");
        const over = this.#next((life) => life.session.qr.status === "expired" && isAtRest(life));
        await this.#stage.hub.requestQr(this.#instanceId);
        await over;
        return await this.link();
      }
      default:
        return kind satisfies never;
    }
  }

  /** Links it, and asks on while it is: what is answered then is part of a life too. */
  async link(): Promise<void> {
    this.#phone = await this.#gateway.phone();
    for (let outcome = ""; outcome !== "paired";) {
      const { status, body } = await this.#stage.hub.requestQr(this.#instanceId);
      // It lives so shortly here that its socket may be over before it was looked at.
      if (status !== 200) continue;
      const back = this.#next(({ session }) => session.status === "connected");
      outcome = await this.#gateway.scan(this.#phone, (body as { qr_string: string }).qr_string);
      if (outcome === "paired") await back;
      else back.catch(() => {});
    }
    await inTurns([1, 2, 3], 3, () => this.#stage.hub.requestQr(this.#instanceId));
  }

  /** Breaks the connection, and waits until it is gone and back. */
  async #backAfter(breakIt: () => Promise<void>): Promise<void> {
    const gone = this.#next(({ session }) => session.status !== "connected");
    await breakIt();
    await gone;
    await this.#next(({ session }) => session.status === "connected", true);
  }

  /** The next life that is like this; the present one counts too where `orNow`. */
  #next(isIt: (life: SessionSnapshot) => boolean, orNow = false): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const off = this.#stage.service.sessions.onChange(({ after }) => {
      if (after.session.instanceId === this.#instanceId && isIt(after)) resolve();
    });
    const timer = setTimeout(() => reject(new Error("The cycle came to a halt.")), PATIENCE_MS);
    if (orNow) {
      this.#stage.hub.session(this.#instanceId).then(({ status }) => {
        if (status === "connected") resolve();
      }, reject);
    }
    return promise.finally(() => {
      off();
      clearTimeout(timer);
    });
  }
}

/** Finds the moments at which nothing is left that runs out by itself. */
class Rest {
  readonly #scales: WorkerScales;
  /** The timers that are always there, as far as is known. */
  #timers: { readonly service: number; readonly worker: number } | null = null;

  constructor(scales: WorkerScales) {
    this.#scales = scales;
  }

  /** The weights at rest: the least of several each. */
  async reach(): Promise<{ service: Weight; worker: Weight }> {
    const begun = performance.now();
    let least = Infinity;
    let quietSince = begun;
    for (;; await pause(READ_MS)) {
      const [service, worker] = [weigh(), await this.#scales.weigh()];
      const now = performance.now();
      const timers = service.timers + worker.timers;
      if (timers < least) [least, quietSince] = [timers, now];
      const isKnown = this.#timers !== null && service.timers <= this.#timers.service &&
        worker.timers <= this.#timers.worker;
      if (!isKnown && now - quietSince < REST_MS && now - begun < QUIET_MS) continue;
      this.#timers ??= { service: service.timers, worker: worker.timers };
      return await this.#lightest(service, worker);
    }
  }

  async #lightest(service: Weight, worker: Weight): Promise<{ service: Weight; worker: Weight }> {
    for (let i = 1; i < WEIGHINGS; i++) {
      service = lighter(service, weigh());
      worker = lighter(worker, await this.#scales.weigh());
    }
    return { service, worker };
  }
}

function lighter(one: Weight, other: Weight): Weight {
  return total(one) <= total(other) ? one : other;
}

function describeNow(worker: Weight, service: Weight): string {
  const mib = (weight: Weight) => (total(weight) / 2 ** 20).toFixed(2);
  return `worker ${mib(worker)} MiB, ${worker.timers} timers; service ${
    mib(service)
  } MiB, ${service.timers} timers`;
}
