/**
 * One run of the chaos: sessions are linked, everything goes wrong for a while, everything is mended, and what
 * HTTP says then has to be what WhatsApp knows.
 * @module
 */
import type { Gateway } from "../simulator/mod.ts";
import { startGateway } from "../simulator/mod.ts";
import { SABOTEUR } from "../sabotage/sabotage.ts";
import {
  LIES,
  POLICY,
  QR_WAIT_MS,
  SETTLE_MS,
  SOCKETS,
  STORE_RETURN_MS,
  UNLINKING,
  WATCH,
} from "./chaos_bounds.ts";
import { type Scene, type SystemFault, systemFaults } from "./chaos_system_faults.ts";
import { type Arena, type Fault, LIVE_FAULTS, LOST_FAULTS } from "./chaos_faults.ts";
import { type DrillDatabase, prepareDatabase } from "./chaos_database.ts";
import { FrontDoor } from "./chaos_front_door.ts";
import { Ledger } from "./chaos_ledger.ts";
import { disagreements } from "./chaos_recovery.ts";
import { inTurns, Stage, until } from "./chaos_stage.ts";
import { Subject } from "./chaos_subject.ts";
import { Watch } from "./chaos_watch.ts";
import type { DialectName } from "./ground.ts";
import { Chance, pause } from "./random.ts";

export interface ChaosOptions {
  readonly dialect: DialectName;
  readonly seed: number;
  readonly sessions: number;
  /** How long things go wrong. */
  readonly seconds: number;
  /** The mean pause between two faults, in milliseconds. */
  readonly pauseMs?: number;
  /** The mean pause between two system faults, in milliseconds. */
  readonly systemFaultMs?: number;
  /** By how much a busy machine may miss any bound, in milliseconds; not at all where it is not given. */
  readonly slackMs?: number;
}

/** What a run has come to. */
export interface ChaosResult {
  readonly options: ChaosOptions;
  readonly ledger: Ledger;
  readonly linked: number;
  readonly logins: number;
  readonly pairings: number;
  readonly overlaps: number;
  readonly answers: number;
  readonly settledMs: number;
  readonly longestStallMs: number;
  /** How often each status was there at the end. */
  readonly statuses: ReadonlyMap<string, number>;
}

/** How many sessions are linked at once at the start. */
const LINKED_AT_ONCE = 4;
/** How many faults may be under way at once; pairings are real, and take their time. */
const MOST_AT_ONCE = 16;

/**
 * Runs the chaos once.
 * @returns null when there is no server for this kind of database on this machine
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult | null> {
  await using database = await prepareDatabase(options.dialect);
  if (database === null) return null;
  await using gateway = await startGateway();
  const run = new Run(options, database, gateway);
  return await run.go();
}

class Run {
  readonly #options: ChaosOptions;
  readonly #database: DrillDatabase;
  readonly #gateway: Gateway;
  readonly #chance: Chance;
  readonly #ledger = new Ledger();
  readonly #subjects: readonly Subject[];
  readonly #underWay = new Set<Promise<void>>();
  #storeIsGone = false;
  #storeCameBackAt = -Infinity;

  constructor(options: ChaosOptions, database: DrillDatabase, gateway: Gateway) {
    this.#options = options;
    this.#database = database;
    this.#gateway = gateway;
    this.#chance = new Chance(options.seed);
    this.#subjects = Array.from(
      { length: options.sessions },
      (_, i) => new Subject(`chaos-${i + 1}`, gateway),
    );
  }

  async go(): Promise<ChaosResult> {
    const { slackMs = 0 } = this.#options;
    const bounds = {
      ...LIES,
      connected: LIES.connected + slackMs,
      absent: LIES.absent + slackMs,
      qr: LIES.qr + slackMs,
    };
    const stage = await Stage.start({
      peer: this.#gateway,
      database: this.#database.environment,
      workers: 2,
      qrWaitMs: QR_WAIT_MS,
      policy: POLICY,
      socketSettings: SOCKETS,
      supervision: { watch: WATCH, workerScript: SABOTEUR, unlinker: UNLINKING },
      onLine: (line) => {
        const subject = this.#subjects.find(({ instanceId }) => instanceId === line.instance_id);
        const { event, instance_id: _, ...rest } = line;
        const isContested = rest.code === 440 || rest.kind === "replaced";
        if (event === "socket_closed" && rest.socket === "login" && isContested) subject?.contest();
        if (event !== "request") subject?.tell(`log: ${event} ${JSON.stringify(rest)}`);
      },
    });
    const door = new FrontDoor({
      hub: stage.hub,
      qrDeadlineMs: () => QR_WAIT_MS + bounds.qr + watch.longestStallMs,
      storeReturnMs: STORE_RETURN_MS + slackMs,
      mayFail: () =>
        this.#storeIsGone || performance.now() - this.#storeCameBackAt < STORE_RETURN_MS + slackMs,
      onViolation: (what) => this.#ledger.violate(what),
    });
    const watch: Watch = new Watch({
      gateway: this.#gateway,
      door,
      subjects: this.#subjects,
      ledger: this.#ledger,
      bounds,
    });
    try {
      await inTurns(this.#subjects, LINKED_AT_ONCE, (subject) => this.#link(door, subject));
      watch.start();
      await Promise.all([this.#strikeOne(door), this.#strikeMany(watch)]);
      await this.#finish();
      const settledMs = await this.#settle(stage);
      await watch.stop();
      const { stats } = this.#gateway;
      const { pairings, logins, overlaps } = stats;
      await stage.stop();
      for (const fault of await this.#database.inspect()) this.#complainOfRow(fault);
      return {
        options: this.#options,
        ledger: this.#ledger,
        linked: this.#subjects.filter(({ lastView }) => lastView?.status === "connected").length,
        logins,
        pairings,
        overlaps,
        answers: door.answers,
        settledMs,
        longestStallMs: watch.longestStallMs,
        statuses: this.#statuses(),
      };
    } finally {
      await watch.stop();
      await stage.stop();
    }
  }

  /** Links it as a person would, who asks again where no QR came: a machine may be slow to start its workers. */
  async #link(door: FrontDoor, subject: Subject): Promise<void> {
    await until(
      async () => {
        const { body } = await door.requestQr(subject.instanceId);
        return body !== null && (await subject.phone.scan(body.qr_string)).outcome === "paired";
      },
      this.#settleMs,
      `${subject.instanceId} linked before anything goes wrong`,
    );
  }

  /** One session after the other, at random. */
  async #strikeOne(door: FrontDoor): Promise<void> {
    const arena: Arena = { gateway: this.#gateway, door, chance: this.#chance };
    const { seconds, pauseMs = 60 } = this.#options;
    const end = performance.now() + seconds * 1_000;
    while (performance.now() < end) {
      await pause(this.#chance.below(2 * pauseMs));
      const idle = this.#subjects.filter(({ isBusy }) => !isBusy);
      if (idle.length === 0 || this.#underWay.size >= MOST_AT_ONCE) continue;
      const subject = this.#chance.pick(idle);
      const fault = this.#weighed(subject.isLive ? LIVE_FAULTS : LOST_FAULTS);
      this.#ledger.inject(fault.name);
      subject.strike(fault.name);
      subject.isBusy = true;
      this.#run(fault, arena, subject);
    }
  }

  /** One system fault after the other, with a rest between them. */
  async #strikeMany(watch: Watch): Promise<void> {
    const scene: Scene = {
      gateway: this.#gateway,
      database: this.#database,
      subjects: this.#subjects,
      chance: this.#chance,
    };
    const { seconds, systemFaultMs = 1_500 } = this.#options;
    const end = performance.now() + seconds * 1_000;
    const all = systemFaults(scene);
    // Each once in random order, then again in another: a short run too meets as many kinds as it can.
    for (let left: SystemFault[] = [];; left = left.slice(1)) {
      await pause(this.#chance.below(2 * systemFaultMs));
      if (performance.now() >= end) return;
      if (left.length === 0) left = this.#chance.shuffled(all);
      const { name, strike } = left[0]!;
      this.#ledger.inject(name);
      watch.strikeAll(name);
      for (const subject of this.#subjects) subject.tell(`all struck: ${name}`);
      this.#storeIsGone = name.startsWith("database");
      await strike(scene);
      if (this.#storeIsGone) this.#storeCameBackAt = performance.now();
      this.#storeIsGone = false;
    }
  }

  #run({ strike }: Fault, arena: Arena, subject: Subject): void {
    const work = async () => void await strike(arena, subject);
    const running = work()
      .catch((error) =>
        this.#ledger.violate(`${subject.story}\n    ${error instanceof Error ? error.stack : error}`)
      )
      .finally(() => {
        subject.isBusy = false;
        this.#underWay.delete(running);
      });
    this.#underWay.add(running);
  }

  /** Waits for what is under way. No connection lives for ever, so neither does a scan. */
  async #finish(): Promise<void> {
    this.#gateway.faults.clear();
    try {
      await until(() => this.#underWay.size === 0, this.#settleMs, "the end of every operation");
    } catch {
      for (const { isBusy, story } of this.#subjects) {
        if (isBusy) this.#ledger.violate(`What was done last does not end: ${story}`);
      }
    }
  }

  get #settleMs(): number {
    return SETTLE_MS + (this.#options.slackMs ?? 0);
  }

  #weighed(faults: readonly Fault[]): Fault {
    let rest = this.#chance.next() * faults.reduce((sum, { weight }) => sum + weight, 0);
    return faults.find(({ weight }) => (rest -= weight) < 0) ?? faults[0]!;
  }

  /** Mends everything and waits until every state is what it has to be. @returns after how long it was */
  async #settle(stage: Stage): Promise<number> {
    const since = performance.now();
    this.#gateway.faults.clear();
    await this.#gateway.comeBack();
    let left: string[] = [];
    try {
      await until(
        async () => {
          const standings = await this.#database.standings();
          left = disagreements({ since, gateway: this.#gateway, stage, subjects: this.#subjects, standings });
          return left.length === 0;
        },
        this.#settleMs,
        "peace",
      );
    } catch {
      for (const what of left) this.#ledger.violate(`at the end: ${what}`);
    }
    return performance.now() - since;
  }

  /** A session that was told `connected` may be so without a link. */
  #complainOfRow(fault: string): void {
    const isTold = this.#subjects.some(({ instanceId, toldSince }) =>
      toldSince !== null && fault.includes(` ${instanceId}: is connected without`)
    );
    if (!isTold) this.#ledger.violate(`row: ${fault}`);
  }

  #statuses(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { lastView } of this.#subjects) {
      const name = `${lastView?.status}/${lastView?.qr_status}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }
}
