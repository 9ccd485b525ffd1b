/**
 * Links that drop, lose and hold up packets: between the service and WhatsApp over either database, and between one of
 * two replicas and the database.
 * @module
 */
import { generateCredentialKey } from "../../../db/mod.ts";
import { type Gateway, type Phone, startGateway } from "../../simulator/mod.ts";
import { TestServer } from "../../databases/server.ts";
import type { ServerProgram } from "../../databases/server_program.ts";
import { Chance } from "../random.ts";
import { type Condition, Link } from "./link.ts";
import { Site, type SiteBounds } from "./site.ts";

/** In milliseconds, by the product's own bounds and what it takes to look. */
export const BOUNDS = {
  /** A dead connection is noticed within the silence and a heartbeat. */
  liveness: 40_000,
  /** A replica lets go 7 s after its last renewal, and its sockets are down before the 10 s are over. */
  fencing: 10_000,
  /** A call that the database is needed for. */
  call: 3_000,
  /** Back after a link that dropped everything. */
  recovery: 5_000,
  /** The drill's own looking, and a busy machine. */
  slack: 1_000,
};

export interface NetworkDrill {
  readonly sessions: number;
  readonly bounds: SiteBounds;
  /** How long a link that loses or delays does so, in milliseconds; none of that where it is 0. */
  readonly badMs: number;
  /** Whether what takes longer than {@link BOUNDS} is a fault. */
  readonly isTimed: boolean;
  readonly seed: number;
  /** Whether the embedded database is used. */
  readonly isEmbeddedToo: boolean;
  /** The program of a MariaDB server; without it none is used. */
  readonly program: ServerProgram | undefined;
  readonly onScene?: (name: string) => void;
}

export interface Scene {
  readonly name: string;
  /** What was measured, in milliseconds. */
  readonly figures: Readonly<Record<string, number>>;
}

export interface NetworkResult {
  readonly scenes: readonly Scene[];
  readonly faults: readonly string[];
}

/** How long anything is waited for that has to happen, in milliseconds. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 100;

const DROPPING: Condition = { kind: "dropping" };
const CLEAR: Condition = { kind: "clear" };
/** What does not cut a link, and is hard on it. Two seconds to an answer. */
const BAD: readonly (readonly [string, Condition])[] = [
  ["loses 20 %", { kind: "losing", percent: 20 }],
  ["delays by 2 s", { kind: "delaying", ms: 1_000 }],
];

class Run {
  readonly scenes: Scene[] = [];
  readonly faults: string[] = [];
  readonly #drill: NetworkDrill;

  constructor(drill: NetworkDrill) {
    this.#drill = drill;
  }

  /** A scene, and which of its figures have a bound. */
  async scene(
    name: string,
    play: () => Promise<Record<string, number>>,
    bounds: Readonly<Record<string, number>> = {},
  ): Promise<void> {
    this.#drill.onScene?.(name);
    const figures = await play();
    this.scenes.push({ name, figures });
    for (const [figure, bound] of Object.entries(bounds)) {
      const took = figures[figure]!;
      if (this.#drill.isTimed && took > bound + BOUNDS.slack) {
        this.faults.push(`${name}: ${figure} ${Math.round(took)} ms, with a bound of ${bound} ms`);
      }
    }
  }

  check(isRight: boolean, fault: string): void {
    if (!isRight) this.faults.push(fault);
  }
}

/** @returns null where no link can be made */
export async function runNetworkDrill(drill: NetworkDrill): Promise<NetworkResult | null> {
  if (!await Link.isPossible()) return null;
  const run = new Run(drill);
  const chance = new Chance(drill.seed);
  const random = () => chance.next();
  if (drill.isEmbeddedToo) await overSqlite(drill, run, random);
  if (drill.program !== undefined) await overMysql(drill, run, random, drill.program);
  return run;
}

async function overSqlite(drill: NetworkDrill, run: Run, random: () => number): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using gateway = await startGateway();
    await using link = await Link.open(1, random);
    const database = { DATABASE_URL: `sqlite:${folder}/sessions.db` };
    await using site = await Site.start(link, gateway, database, drill.bounds);
    const names = await linkAll(drill, gateway, site);
    await whatsapp(drill, run, site, names, "sqlite");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function overMysql(
  drill: NetworkDrill,
  run: Run,
  random: () => number,
  program: ServerProgram,
): Promise<void> {
  await using server = await TestServer.start(program);
  await using gateway = await startGateway();
  await using first = await Link.open(2, random);
  await using second = await Link.open(3, random);
  const { url, name } = await server.database();
  const database = { DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() };
  await using one = await Site.start(first, gateway, database, drill.bounds);
  const names = await linkAll(drill, gateway, one);
  await whatsapp(drill, run, one, names, "mysql");
  await using other = await Site.start(second, gateway, database, drill.bounds);
  const held = async (site: Site) => {
    const rows = await server.run(
      `select instance_id as id from ll_whatsapp_leases where resting = 0 and replica_id = '${await site
        .replica()}'`,
      name,
    );
    return rows.map(({ id }) => String(id));
  };
  await until("the second replica to have its share", async () => (await held(other)).length > 0);
  await until("all to be back", () => all([one, other], names));
  await replicas(drill, run, gateway, { one, other, names, held: await held(other) });
}

/** Links so many numbers. */
async function linkAll({ sessions }: NetworkDrill, gateway: Gateway, site: Site): Promise<string[]> {
  const names = Array.from({ length: sessions }, (_, n) => `sender_${n}`);
  await Promise.all(names.map(async (name, n) => {
    const { outcome } = await phoneOf(gateway, n).scan((await site.hub.obtainQr(name)).qr_string);
    if (outcome !== "paired") throw new Error(`The scan of ${name} ended with ${outcome}.`);
  }));
  await until("all to be linked", () => all([site], names));
  return names;
}

function phoneOf(gateway: Gateway, n: number): Phone {
  return gateway.phone(`+54911000000${String(n).padStart(2, "0")}`);
}

/** The link to WhatsApp, over one database. */
async function whatsapp(
  drill: NetworkDrill,
  run: Run,
  site: Site,
  names: readonly string[],
  database: string,
): Promise<void> {
  await run.scene(`WhatsApp's link drops everything, ${database}`, async () => {
    site.set("whatsapp", DROPPING);
    const noticed = await until("the dead connections to be noticed", () => none(site, names));
    site.set("whatsapp", CLEAR);
    const back = await until("all to be back", () => all([site], names));
    return { noticed, back };
  }, { noticed: BOUNDS.liveness });
  for (const [how, condition] of drill.badMs > 0 ? BAD : []) {
    await run.scene(`WhatsApp's link ${how}, ${database}`, async () => {
      site.set("whatsapp", condition);
      const connected = await share(drill.badMs, [site], names);
      site.set("whatsapp", CLEAR);
      return { "connected, %": connected, back: await until("all to be back", () => all([site], names)) };
    });
  }
  run.check(await site.isReady(), `${database}: the service is not ready afterwards`);
}

/** The link of one of two replicas to the database. Nothing is wrong with WhatsApp's: there each login is used once. */
async function replicas(
  drill: NetworkDrill,
  run: Run,
  gateway: Gateway,
  { one, other, names, held }: { one: Site; other: Site; names: readonly string[]; held: readonly string[] },
): Promise<void> {
  const overlaps = gateway.stats.overlaps;
  const theirs = held.map((name) => phoneOf(gateway, names.indexOf(name)));
  await run.scene("a replica's link to the database drops everything", async () => {
    const closed = Promise.all(theirs.map(({ number }) => gateway.when("closed", { phone: number })));
    const since = performance.now();
    other.set("database", DROPPING);
    const first = await slowest(other, names);
    const later = await slowest(other, names);
    await closed;
    const letGo = performance.now() - since;
    await until("the other replica to have all", () => all([one], names));
    const takenUp = performance.now() - since;
    run.check(!await other.isReady(), "a replica without a database says that it is ready");
    other.set("database", CLEAR);
    const ready = await until("the replica to be ready again", () => other.isReady());
    const back = await until("both to tell all", () => all([one, other], names));
    return { "first calls": first, "later calls": later, "let go": letGo, "taken up": takenUp, ready, back };
  }, { "first calls": BOUNDS.call, "let go": BOUNDS.fencing, ready: BOUNDS.recovery });
  for (const [how, condition] of drill.badMs > 0 ? BAD : []) {
    await run.scene(`a replica's link to the database ${how}`, async () => {
      other.set("database", condition);
      const connected = await share(drill.badMs, [one], names);
      other.set("database", CLEAR);
      return {
        "connected by the other, %": connected,
        ready: await until("the replica to be ready again", () => other.isReady()),
        back: await until("both to tell all", () => all([one, other], names)),
      };
    });
  }
  await run.scene("the Hub's link drops everything", async () => {
    other.set("hub", DROPPING);
    const isSilent = await Promise.race([
      other.status(names[0]!).then(() => false),
      pause(2_000).then(() => true),
    ]);
    run.check(isSilent, "an answer has come over a link that drops everything");
    // Shares may still be moving after what was before.
    await until("the other replica to tell all", () => all([one], names));
    other.set("hub", CLEAR);
    return { back: await until("both to tell all", () => all([one, other], names)) };
  });
  run.check(
    gateway.stats.overlaps === overlaps,
    `${gateway.stats.overlaps - overlaps} logins while another connection of theirs was open`,
  );
}

/** How long the slowest of these calls took, all of them at the same time; in milliseconds. */
async function slowest(site: Site, names: readonly string[]): Promise<number> {
  const since = performance.now();
  const calls = [...names, "nobody"].flatMap((name) => [site.hub.get(name), site.hub.requestQr(name)]);
  await Promise.all(calls);
  return performance.now() - since;
}

async function all(sites: readonly Site[], names: readonly string[]): Promise<boolean> {
  const statuses = await Promise.all(sites.flatMap((site) => names.map((name) => site.status(name))));
  return statuses.every((status) => status === "connected");
}

async function none(site: Site, names: readonly string[]): Promise<boolean> {
  const statuses = await Promise.all(names.map((name) => site.status(name)));
  return statuses.every((status) => status !== "connected");
}

/** How many of a hundred answers said `connected`, for as long as that. */
async function share(ms: number, sites: readonly Site[], names: readonly string[]): Promise<number> {
  const until = performance.now() + ms;
  let asked = 0;
  let connected = 0;
  while (performance.now() < until) {
    const statuses = await Promise.all(sites.flatMap((site) => names.map((name) => site.status(name))));
    asked += statuses.length;
    connected += statuses.filter((status) => status === "connected").length;
    await pause(LOOK_MS);
  }
  return Math.round(100 * connected / asked);
}

/** @returns how long it took, in milliseconds */
async function until(what: string, isThere: () => Promise<boolean>): Promise<number> {
  const since = performance.now();
  while (!await isThere()) {
    if (performance.now() - since > PATIENCE_MS) throw new Error(`It took too long for ${what}.`);
    await pause(LOOK_MS);
  }
  return performance.now() - since;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
