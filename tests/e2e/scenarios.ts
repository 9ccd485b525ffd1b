/**
 * Scenarios that share a world. A service takes as long to start as two scenarios take to run, so those that want
 * it alike take turns in one: each is a step of the one test, on sessions and phones of its own, and finds the world
 * at rest.
 * @module
 */
import { scenario, type ScenarioOptions, type Start, type World, type WorldOptions } from "./world.ts";

export type GroupOptions = WorldOptions & ScenarioOptions;

/** For those that link a number on their way to something else: its first login costs half. */
export const QUICK_LINKS: WorldOptions = { gatewayOptions: { newDevicePreKeys: 1 } };

/** One scenario; `start` is for what has to be started besides, or again. */
export type Turn = (world: World, start: Start) => Promise<void>;

/**
 * A test over each kind of database, with a step for each scenario. A world in which one has failed, or has stopped
 * the service, is not used again.
 */
export function scenarios(name: string, options: GroupOptions, turns: Readonly<Record<string, Turn>>): void {
  scenario(name, async (start, t) => {
    await using worlds = new Worlds(() => start(options));
    for (const [title, turn] of Object.entries(turns)) {
      await step(t, title, () => worlds.lend((world) => turn(world, start)));
    }
  }, options);
}

/** What is left of a scenario once the service has been started again. */
export type Rest = (world: World) => unknown;

/**
 * The same for scenarios between which and their rest the service is stopped, and started again on what it left
 * behind: once for all of them.
 */
export function scenariosAcrossAStart(
  name: string,
  options: GroupOptions & {
    /** How it is started again, where that is different. */
    readonly again?: WorldOptions;
  },
  turns: Readonly<Record<string, (world: World) => Promise<Rest>>>,
): void {
  scenario(name, async (start, t) => {
    await using before = await start(options);
    const rests: [string, Rest][] = [];
    for (const [title, turn] of Object.entries(turns)) {
      await step(t, `${title}: before`, async () => void rests.push([title, await turn(before)]));
    }
    await before.stopService();
    before.gateway.startOver();
    const { gateway, config: { databaseUrl } } = before;
    await using after = await start({ ...options, ...options.again, gateway, databaseUrl });
    for (const [title, rest] of rests) await step(t, title, async () => void await rest(after));
  }, options);
}

/** What a world has open outlives a step: that nothing is left of it is the whole test's to see. */
async function step(t: Deno.TestContext, name: string, fn: () => Promise<void>): Promise<void> {
  await t.step({ name, fn, sanitizeOps: false, sanitizeResources: false });
}

/** A world that is lent to one after the other, for as long as it is given back at rest. */
class Worlds implements AsyncDisposable {
  readonly #start: () => Promise<World>;
  #free: World | null = null;

  constructor(start: () => Promise<World>) {
    this.#start = start;
  }

  async lend(turn: (world: World) => Promise<void>): Promise<void> {
    const world = this.#free ?? await this.#start();
    this.#free = null;
    try {
      await turn(world);
      if (world.stopped) return;
      await world.settle();
      this.#free = world;
    } finally {
      if (this.#free === null) await world[Symbol.asyncDispose]();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#free?.[Symbol.asyncDispose]();
  }
}
