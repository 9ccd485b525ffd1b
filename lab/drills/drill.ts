/**
 * The drill itself, over one database: play, kill, look at what is left, start, wait until all is back.
 * @module
 */
import { Hub } from "../hub.ts";
import { type Gateway, startGateway } from "../simulator/mod.ts";
import { Actor } from "./actor.ts";
import { type Leftovers, settle, sweep } from "./verify.ts";
import type { Ground } from "./ground.ts";
import { type Aim, aims, type Plan, planRound } from "./plan.ts";
import { type Chance, pause } from "./random.ts";
import { type Cast, play } from "./scene.ts";
import { lastingPort, ServiceProcess, type ServiceSettings } from "./service_process.ts";
import { Tally } from "./tally.ts";
import { Watcher } from "./watcher.ts";

export interface DrillOptions {
  readonly ground: Ground;
  readonly chance: Chance;
  /** How many kills; or at which moments, one after the other. */
  readonly kills: number | readonly Aim[];
  /** How many sessions may be linked at the same time. */
  readonly bound: number;
  /** How many are linked before the first kill. */
  readonly links: number;
  /** Hears of the drill's progress, one line at a time. */
  readonly onProgress?: (line: string) => void;
}

/** How often progress is told, in kills. */
const PROGRESS_EVERY = 10;

/** Runs the drill. @returns what was counted; it does not throw because a link was lost */
export async function runDrill(options: DrillOptions): Promise<Tally> {
  await using gateway = await startGateway();
  const drill = new Drill(gateway, options);
  try {
    await drill.run();
  } finally {
    await drill.end();
  }
  return drill.tally;
}

class Drill {
  readonly tally: Tally;
  readonly #gateway: Gateway;
  readonly #options: DrillOptions;
  readonly #settings: ServiceSettings;
  readonly #hub: Hub;
  readonly #actors: Actor[] = [];
  #service: ServiceProcess | null = null;
  #previous: ServiceProcess | null = null;
  #killedAt = performance.now();
  readonly #leftovers: Leftovers = new Map();

  constructor(gateway: Gateway, options: DrillOptions) {
    this.#gateway = gateway;
    this.#options = options;
    this.tally = new Tally(options.ground.dialect);
    const port = lastingPort();
    this.#settings = { port, database: options.ground.environment, gateway };
    this.#hub = new Hub(`http://127.0.0.1:${port}`);
    gateway.on((event) => {
      this.#actors.find(({ phone }) => phone.number === event.phone)?.witness(event);
      if (event.kind === "paired") this.tally.links++;
      if (event.kind !== "overlap") return;
      const actor = this.#actors.find(({ phone }) => phone.number === event.phone);
      this.tally.faults.push(`A login overlapped with an earlier one.\n${actor && this.#storyOf(actor)}`);
    });
  }

  async run(): Promise<void> {
    const { kills, chance, links, onProgress } = this.#options;
    const list = typeof kills === "number" ? aims(kills, chance) : kills;
    await this.#start();
    await this.#link(links);
    for (const [index, aim] of list.entries()) {
      if (aim === "start") await this.#killStart();
      else await this.#killScene(aim);
      this.tally.faults.push(...await this.#options.ground.inspect());
      // A kill that is aimed at the start takes this one.
      if (list[index + 1] !== "start") await this.#recover();
      this.tally.overlaps = this.#gateway.stats.overlaps;
      if ((index + 1) % PROGRESS_EVERY === 0) onProgress?.(this.#progress(list.length));
    }
    if (this.#service === null) await this.#recover();
    await sweep(this.#actors, this.#leftovers, {
      tally: this.tally,
      storyOf: (actor) => this.#storyOf(actor),
    });
  }

  /** Leaves nothing running. */
  async end(): Promise<void> {
    await this.#service?.kill9();
    this.#service = null;
  }

  // ── Kills ──────────────────────────────────────────────────────────────────────────────────────

  async #killScene(aim: Exclude<Aim, "start">): Promise<void> {
    const { bound, chance } = this.#options;
    const plan = planRound(aim, this.#linked().length, bound, chance);
    const cast = this.#cast(plan);
    const watcher = this.#newWatcher();
    watcher.watch(() => this.#actors);
    const onFault = (what: string) => this.#onFault(what);
    const scene = play({ gateway: this.#gateway, hub: this.#hub, watcher, onFault }, plan, cast);
    await scene.moment.catch(() => this.tally.missed++);
    await this.#kill(aim);
    await Promise.all([watcher.stop(), scene.over]);
    this.tally.countKill(aim, this.#linked().length);
  }

  async #killStart(): Promise<void> {
    if (this.#service !== null) await this.#kill("start");
    const { delayMs } = planRound("start", 0, 0, this.#options.chance);
    this.#spawn();
    const watcher = this.#newWatcher();
    watcher.watch(() => this.#actors);
    await pause(delayMs);
    await this.#kill("start");
    await watcher.stop();
    this.tally.countKill("start", this.#linked().length);
  }

  async #kill(aim: Aim): Promise<void> {
    this.#killedAt = performance.now();
    for (const actor of this.#actors) actor.tell(`kill -9, aimed at ${aim}`);
    const service = this.#service;
    this.#service = null;
    this.#previous = service;
    if (service !== null && !await service.kill9()) {
      this.tally.faults.push(`The service had ended by itself.\n${service.lastWords}`);
    }
  }

  // ── Starts ─────────────────────────────────────────────────────────────────────────────────────

  async #recover(): Promise<void> {
    await this.#start();
    await this.#settle();
    this.tally.restartsMs.push(performance.now() - this.#startedAt());
  }

  async #start(): Promise<void> {
    await this.#spawn().listening;
  }

  #spawn(): ServiceProcess {
    for (const actor of this.#actors) actor.tell("the service is started");
    return this.#service = new ServiceProcess(this.#settings);
  }

  #startedAt(): number {
    return this.#service?.startedAt ?? performance.now();
  }

  async #settle(): Promise<void> {
    const watcher = this.#newWatcher();
    const { tally } = this;
    await settle(this.#actors, this.#leftovers, {
      gateway: this.#gateway,
      watcher,
      tally,
      storyOf: (actor) => this.#storyOf(actor),
    });
    await watcher.stop();
  }

  /** Links so many sessions in peace. */
  async #link(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const actor = this.#newActor();
      actor.beginPairing();
      await actor.phone.scan((await this.#hub.obtainQr(actor.instanceId)).qr_string);
      const watcher = this.#newWatcher();
      watcher.stare(actor);
      await actor.firstWordOf("connected");
      await watcher.stop();
    }
    await this.#settle();
  }

  // ── Actors ─────────────────────────────────────────────────────────────────────────────────────

  #cast(plan: Plan): Cast {
    const { chance } = this.#options;
    const free = chance.shuffled(this.#actors.filter(({ standing }) => standing.kind === "unlinked"));
    const next = () => free.pop() ?? this.#newActor();
    const pairing: [Actor, ...Actor[]] = [next()];
    while (pairing.length < plan.pairings) pairing.push(next());
    const linked = chance.shuffled(this.#linked());
    return {
      pairing,
      leaving: linked.splice(0, plan.logouts.length),
      dropped: linked.splice(0, plan.drops.length),
      uploading: linked.splice(0, plan.uploads),
    };
  }

  #newActor(): Actor {
    const actor = new Actor(`drill_${this.#actors.length + 1}`, this.#gateway.phone());
    this.#actors.push(actor);
    return actor;
  }

  #linked(): Actor[] {
    return this.#actors.filter(({ standing }) => standing.kind === "linked");
  }

  #newWatcher(): Watcher {
    return new Watcher(this.#hub, (what) => this.#onFault(what));
  }

  /** A wrong answer of a living service; while it is being killed nobody can tell. */
  #onFault(what: string): void {
    if (this.#service !== null) this.tally.faults.push(what);
  }

  #storyOf(actor: Actor): string {
    const log = [this.#previous, this.#service].flatMap((service, index) => [
      index === 0 ? "  the log of the service that was killed:" : "  the log of the service that is running:",
      ...(service?.logOf(actor.instanceId) ?? []).slice(-20).map((line) => `    ${line}`),
    ]);
    return [actor.story(this.#killedAt), ...log].join("\n");
  }

  #progress(total: number): string {
    const { dialect, killed, losses, ghosts, restartsMs, overlaps, faults } = this.tally;
    const last = ((restartsMs.at(-1) ?? 0) / 1_000).toFixed(1);
    return `${dialect}: ${killed} of ${total} kills, ${this.#linked().length} linked, ${losses.length} lost, ` +
      `${ghosts} ghosts, ${overlaps} overlaps, ${faults.length} faults, last start ${last} s`;
  }
}
