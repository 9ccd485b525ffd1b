/**
 * One instance goes round and round: lost, restarted, refused, unlinked, linked again, its QR left to expire.
 * After a warm-up and at the end everything is weighed, with nothing left to run out.
 * @module
 */
import { isAtRest, type Life } from "../../domain/life.ts";
import { inTurns, Stage, until } from "./chaos_stage.ts";
import { breakGround } from "./ground.ts";
import { GatewayProcess } from "./leak_gateway.ts";
import { total, weigh, type Weight, WorkerScales } from "./leak_scales.ts";
import { pause } from "./random.ts";

const WORKER = new URL("./leak_worker.ts", import.meta.url);
const ID = "leak-1";
const QR_MS = 60;
/** Longer than a login takes on a busy machine; the product's own is a minute. */
const LOGIN_MS = 30_000;
/** Longer than everything that the product itself may wait for in a cycle, and a minute for a busy machine. */
const PATIENCE_MS = 240_000;
/** A cycle that takes longer is told of with its story: it has run into a deadline of the product's. */
const SLOW_MS = 15_000;
/** How much of the log is kept for a cycle that fails or is slow, in lines. */
const STORY_LINES = 40;

/** The scales are at rest by then at the latest, in milliseconds. */
const QUIET_MS = 240_000;
/** How often the scales are read while they come to rest, in milliseconds. */
const READ_MS = 5_000;
/** At rest is what has not become lighter for longer than the minute that an ended socket's timers last. */
const READINGS = 14;

/** What a cycle does to the instance, which is linked before it and after it. */
export const CYCLE_KINDS = ["drop", "restart", "refused", "unlink", "expiry"] as const;
export type CycleKind = typeof CYCLE_KINDS[number];

export interface LeakOptions {
  readonly cycles: number;
  readonly warmUp: number;
  /** Which kinds take turns. */
  readonly kinds: readonly CycleKind[];
  readonly onProgress?: (line: string) => void;
}

/** Everything that has to be where it was. */
export interface Snapshot {
  readonly service: Weight;
  readonly worker: Weight;
  readonly rssBytes: number;
  /** Connections that are open at the gateway. */
  readonly connections: number;
  /** Sockets that the pool carries. */
  readonly sockets: number;
  readonly supervised: number;
}

export interface LeakResult {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly cycles: number;
  readonly workersLost: number;
  /** Errors that nobody caught in the worker. */
  readonly workerFaults: number;
}

export async function runLeak(
  { cycles, warmUp, kinds, onProgress = () => {} }: LeakOptions,
): Promise<LeakResult> {
  await using gateway = await GatewayProcess.start();
  await using ground = (await breakGround("sqlite"))!;
  const story: string[] = [];
  let workersLost = 0;
  let workerFaults = 0;
  await using stage = await Stage.start({
    peer: gateway.peer,
    database: ground.environment,
    policy: {
      qrLife: { firstMs: QR_MS, nextMs: QR_MS },
      nextQrMs: 2_000,
      backoff: { baseMs: 20, quickMs: 200, capMs: 200 },
      stableMs: 50,
      loginMs: LOGIN_MS,
    },
    socketSettings: { qrMs: QR_MS },
    supervision: { workerScript: WORKER, logins: { perSecond: 1_000 } },
    onLine: (line) => {
      const { event } = line;
      if (event !== "request") story.push(JSON.stringify({ ms: Math.round(performance.now()), ...line }));
      if (story.length > STORY_LINES) story.shift();
      if (event === "worker_lost" || event === "worker_retired") workersLost++;
      if (event === "worker_fault") workerFaults++;
    },
  });
  using scales = new WorkerScales();
  const circuit = new Circuit(stage, gateway);
  await circuit.link();
  const go = async (count: number) => {
    for (let i = 0; i < count; i++) {
      const kind = kinds[i % kinds.length]!;
      const since = performance.now();
      await circuit.go(kind).catch((error) => {
        throw new Error(`Cycle ${i + 1}, ${kind}, failed after\n${story.join("\n")}`, { cause: error });
      });
      const tookMs = Math.round(performance.now() - since);
      if (tookMs > SLOW_MS) {
        onProgress(`cycle ${i + 1}, ${kind}, took ${tookMs} ms:\n${story.join("\n")}`);
      }
      if (i % 100 === 99) onProgress(`${i + 1} cycles; ${describeNow(await scales.weigh(), weigh())}`);
    }
  };
  await go(warmUp);
  const before = await atRest(stage, gateway, scales, onProgress);
  await go(cycles);
  const after = await atRest(stage, gateway, scales, onProgress);
  return { before, after, cycles, workersLost, workerFaults };
}

class Circuit {
  readonly #stage: Stage;
  readonly #gateway: GatewayProcess;
  /** A new one for each link: a phone has numbers for no more than 255 devices. */
  #phone = "";

  constructor(stage: Stage, gateway: GatewayProcess) {
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
      case "unlink": {
        const gone = this.#next(({ session }) => session.status === "disconnected");
        await this.#gateway.unlink(this.#phone);
        await gone;
        return await this.link();
      }
      case "expiry": {
        await this.#stage.hub.disconnected(ID, "LOGOUT");
        const over = this.#next((life) => life.session.qr.status === "expired" && isAtRest(life));
        await this.#stage.hub.requestQr(ID);
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
      const { status, body } = await this.#stage.hub.requestQr(ID);
      // A QR lives so shortly here that it may be over before it was looked at.
      if (status !== 200) continue;
      const back = this.#next(({ session }) => session.status === "connected");
      outcome = await this.#gateway.scan(this.#phone, (body as { qr_string: string }).qr_string);
      if (outcome === "paired") await back;
      else back.catch(() => {});
    }
    await inTurns([1, 2, 3], 3, () => this.#stage.hub.requestQr(ID));
  }

  /** Breaks the connection, and waits until it is gone and back. */
  async #backAfter(breakIt: () => Promise<void>): Promise<void> {
    const gone = this.#next(({ session }) => session.status !== "connected");
    await breakIt();
    await gone;
    await this.#next(({ session }) => session.status === "connected", true);
  }

  /** The next life that is like this; the present one counts too where `orNow`. */
  #next(isIt: (life: Life) => boolean, orNow = false): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const off = this.#stage.service.sessions.onChange(({ after }) => {
      if (isIt(after)) resolve();
    });
    const timer = setTimeout(() => reject(new Error("The cycle came to a halt.")), PATIENCE_MS);
    if (orNow) {
      this.#stage.hub.session(ID).then(({ status }) => {
        if (status === "connected") resolve();
      }, reject);
    }
    return promise.finally(() => {
      off();
      clearTimeout(timer);
    });
  }
}

/** Everything, once nothing runs out any more. */
async function atRest(
  stage: Stage,
  gateway: GatewayProcess,
  scales: WorkerScales,
  onProgress: (line: string) => void,
): Promise<Snapshot> {
  const deadline = performance.now() + QUIET_MS;
  let lightest = Infinity;
  let worker = await scales.weigh();
  let service = weigh();
  for (let readings = 0; readings < READINGS && performance.now() < deadline;) {
    await pause(READ_MS);
    worker = await scales.weigh();
    service = weigh();
    const weight = total(worker) + total(service) + worker.timers + service.timers;
    // A difference of less than a thousandth is the scales' own trembling.
    if (weight < lightest * 0.999) readings = 0;
    else readings++;
    lightest = Math.min(lightest, weight);
  }
  onProgress(`at rest; ${describeNow(worker, service)}`);
  await until(async () => await gateway.connections() === 1, PATIENCE_MS, "one connection");
  return {
    service,
    worker,
    rssBytes: Deno.memoryUsage().rss,
    connections: await gateway.connections(),
    sockets: stage.service.socketLoad().reduce((sum, load) => sum + load, 0),
    supervised: stage.service.sessions.supervised,
  };
}

function describeNow(worker: Weight, service: Weight): string {
  const mib = (weight: Weight) => (total(weight) / 2 ** 20).toFixed(2);
  return `worker ${mib(worker)} MiB, ${worker.timers} timers; service ${
    mib(service)
  } MiB, ${service.timers} timers`;
}
