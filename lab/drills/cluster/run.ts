/**
 * One run of the drill: three replicas behind a balancer, over a group of three database servers of which one takes
 * writes. That one is lost in every way there is, while sessions are connected and others are being linked.
 * @module
 */
import { generateCredentialKey } from "../../../db/mod.ts";
import type { ServerProgram } from "../../databases/server_program.ts";
import { Hub } from "../../hub.ts";
import { type Gateway, startGateway } from "../../simulator/mod.ts";
import { inTurns, within } from "../chaos_stage.ts";
import { pause } from "../random.ts";
import { Balancer } from "../replicas/balancer.ts";
import { type Linked, Observer, type Sighting } from "../replicas/observer.ts";
import { ReplicaProcess } from "../replicas/replica_process.ts";
import { Group } from "./group.ts";
import { Lan } from "./lan.ts";

export interface ClusterDrillOptions {
  readonly program: ServerProgram;
  readonly sessions: number;
  readonly onScene?: (name: string) => void;
}

/** What one scene has come to. */
export interface SceneResult extends Sighting {
  readonly name: string;
  /** From the loss until another node took writes, in milliseconds; 0 where none was lost. */
  readonly failoverMs: number;
  /** From the loss until every session was logged in and HTTP said so, in milliseconds. */
  readonly backMs: number;
  /** Numbers that were linked meanwhile. */
  readonly linked: number;
}

export interface ClusterDrillResult {
  readonly scenes: readonly SceneResult[];
  /** How often replicas have followed another node, by their own log. */
  readonly followed: number;
  /** What should not have been, one sentence each. */
  readonly faults: readonly string[];
}

const REPLICAS = 3;
const AT_ONCE = 4;
/** How many numbers are being linked while a scene goes on. */
const LINKED_MEANWHILE = 2;
/** How long a scene may take, in milliseconds: it only ends what hangs. */
const PATIENCE_MS = 600_000;
/** How often a number is shown another QR before it counts as not to be linked. */
const TRIES = 200;

/** @returns a sentence with the reason where this machine does not allow it */
export async function runClusterDrill(options: ClusterDrillOptions): Promise<ClusterDrillResult | string> {
  await using resources = new AsyncDisposableStack();
  const lan = await Lan.open(3);
  if (typeof lan === "string") return lan;
  resources.use(lan);
  options.onScene?.("the group is started");
  const group = resources.use(await Group.start(options.program, lan));
  const gateway = resources.use(await startGateway());
  const environment = {
    DATABASE_URL: group.url,
    CREDENTIALS_KEY: generateCredentialKey(),
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    SOCKET_WORKERS: "1",
    LOG_LEVEL: "info",
  };
  const replicas = Array.from(
    { length: REPLICAS },
    (_, i) =>
      resources.use(
        new ReplicaProcess(`replica ${i + 1}`, {
          skewMs: 0,
          bounds: {},
          policy: {},
          environment,
          isDirect: true,
        }),
      ),
  );
  await Promise.all(replicas.map((replica) => replica.start()));
  const balancer = new Balancer(replicas.map(({ origin }) => origin));
  resources.defer(() => balancer.stop());
  const run = new Run(options, { lan, group, gateway, replicas, hub: new Hub(balancer.origin) });
  return await run.go();
}

interface Stage {
  readonly lan: Lan;
  readonly group: Group;
  readonly gateway: Gateway;
  readonly replicas: readonly ReplicaProcess[];
  /** By way of the balancer. */
  readonly hub: Hub;
}

class Run {
  readonly #options: ClusterDrillOptions;
  readonly #stage: Stage;
  readonly #sessions: Linked[] = [];
  readonly #observer: Observer;
  readonly #faults: string[] = [];
  readonly #scenes: SceneResult[] = [];

  constructor(options: ClusterDrillOptions, stage: Stage) {
    this.#options = options;
    this.#stage = stage;
    this.#observer = new Observer(stage.hub, stage.gateway, this.#sessions);
  }

  async go(): Promise<ClusterDrillResult> {
    const { group, lan, replicas } = this.#stage;
    try {
      const first = Array.from({ length: this.#options.sessions }, (_, i) => `clustered-${i + 1}`);
      await inTurns(first, AT_ONCE, (instanceId) => this.#link(instanceId));
      await this.#scene("the primary is killed", (primary) => group.kill9(primary), (n) => group.rejoin(n));
      await this.#scene("the primary is frozen", (primary) => group.freeze(primary), async (n) => {
        group.thaw(n);
        await group.untilWhole(); // it has found out that it was expelled, and has joined again
      });
      await this.#scene("the primary is cut off", (primary) => lan.cut(primary), async (n) => {
        await lan.mend(n);
        await group.untilWhole();
      });
      await this.#scene("every node is restarted, one after the other", async (primary) => {
        for (const n of [1, 2, 3].filter((node) => node !== primary)) await this.#restart(n);
        await group.stop(primary);
      }, (n) => group.rejoin(n));
      const followed = replicas.flatMap(({ lines }) => lines)
        .filter((line) => line.includes('"event":"database_primary"') && line.includes('"before"')).length;
      this.#expect(
        followed >= this.#scenes.length,
        `${followed} failovers are in the logs of three replicas`,
      );
      return { scenes: this.#scenes, followed, faults: this.#faults };
    } finally {
      await this.#observer.stop();
    }
  }

  /**
   * @param lose takes the primary away
   * @param restore brings it back as a member, after everything is back without it
   */
  async #scene(
    name: string,
    lose: (primary: number) => Promise<unknown>,
    restore: (node: number) => Promise<unknown>,
  ): Promise<void> {
    const { group } = this.#stage;
    this.#options.onScene?.(name);
    this.#observer.turnPage();
    const acknowledged = await this.#rows();
    const primary = await group.primary();
    const since = performance.now();
    const newcomers = Array.from(
      { length: LINKED_MEANWHILE },
      (_, i) => this.#link(`${name.replaceAll(/[^a-z]+/g, "-")}-${i + 1}`),
    );
    await lose(primary);
    while (await group.primary() === primary) await pause(50);
    const failoverMs = performance.now() - since;
    await Promise.all(newcomers);
    this.#expect(
      await within(PATIENCE_MS, () => this.#observer.isAllBack()),
      `${name}: every session comes back${this.#story()}`,
    );
    const backMs = performance.now() - since;
    await restore(primary);
    this.#expect(await within(PATIENCE_MS, () => this.#observer.isAllBack()), `${name}: all stay`);
    const rows = await this.#rows();
    for (const [instanceId, phone] of acknowledged) {
      this.#expect(rows.get(instanceId) === phone, `${name}: the row of ${instanceId} is what it was`);
    }
    const seen = this.#observer.turnPage();
    this.#expect(seen.overlaps === 0, `${name}: no login is used twice at once, and not ${seen.overlaps}`);
    for (const { phone, instanceId } of this.#sessions) {
      this.#expect(
        phone.devices.length === 1,
        `${instanceId} has one device, and not ${phone.devices.length}`,
      );
    }
    this.#scenes.push({ name, failoverMs, backMs, linked: LINKED_MEANWHILE, ...seen });
  }

  async #restart(n: number): Promise<void> {
    const { group } = this.#stage;
    await group.stop(n);
    await group.rejoin(n);
  }

  /** As a Hub does: asks again for as long as it takes. */
  async #link(instanceId: string): Promise<void> {
    const { hub, gateway } = this.#stage;
    const phone = gateway.phone();
    for (let tries = 0; tries < TRIES; tries++) {
      const asked = await hub.requestQr(instanceId).catch(() => null);
      if (asked?.status === 200) {
        const { outcome } = await phone.scan((asked.body as { qr_string: string }).qr_string).catch(() => ({
          outcome: "failed",
        }));
        if (outcome === "paired" || phone.devices.length > 0) {
          await within(PATIENCE_MS, async () => {
            const view = await hub.get(instanceId).catch(() => null);
            return (view?.body as { status?: string } | undefined)?.status === "connected";
          });
          this.#sessions.push({ instanceId, phone });
          return;
        }
      }
      await pause(500);
    }
    this.#faults.push(`${instanceId} could not be linked.`);
  }

  /** Every row that is connected, and whose number it is. */
  async #rows(): Promise<Map<string, string>> {
    const rows = await this.#stage.group.query(
      "select instance_id, phone_number from ll_whatsapp_qr_sessions where phone_number is not null",
    );
    return new Map(rows.map((row) => [String(row.instance_id), String(row.phone_number)]));
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.#faults.push(`It should have been that ${what}.`);
  }

  #story(): string {
    return this.#stage.replicas.map(({ name, lastWords }) => `\n${name}:\n${lastWords}`).join("\n");
  }
}
