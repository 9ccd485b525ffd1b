/**
 * One run of the drill: three replicas behind a balancer, whose clocks differ by a minute, over one database server; each is
 * lost in every way there is, and what is seen from outside is measured.
 * @module
 */
import { generateCredentialKey } from "../../../db/mod.ts";
import { LEASES } from "../../../db/schema.ts";
import type { Policy } from "../../../domain/snapshot.ts";
import { REPLICA_BOUNDS, type ReplicaBounds } from "../../../cluster/replica.ts";
import { query } from "../../databases/helpers.ts";
import { TestServer } from "../../databases/server.ts";
import { ownServerProgram } from "../../databases/server_program.ts";
import { Hub } from "../../hub.ts";
import { type Gateway, startGateway } from "../../simulator/mod.ts";
import { inTurns, within } from "../chaos_stage.ts";
import { pause } from "../random.ts";
import { Balancer } from "./balancer.ts";
import { type Linked, Observer, type Sighting } from "./observer.ts";
import { ReplicaProcess } from "./replica_process.ts";

export interface DrillOptions {
  readonly sessions: number;
  readonly bounds: Partial<ReplicaBounds>;
  readonly policy: Partial<Policy>;
  /**
   * Whether a presence runs out, by the database's clock, when the drill says so, and not by itself: then it can
   * outlast every delay of a busy machine.
   */
  readonly runsOutOnDemand?: boolean;
  /** Told of each scene as it begins. */
  readonly onScene?: (name: string) => void;
}

/** What one scene has come to. */
export interface SceneResult extends Sighting {
  readonly name: string;
  /** From the loss until every session was logged in again and HTTP said so, in milliseconds. */
  readonly backMs: number;
  /** How many sessions each replica had at the end. */
  readonly shares: readonly number[];
}

/** Statements on the server, by what they do. */
export interface Load {
  readonly reads: number;
  readonly writes: number;
}

export interface DrillResult {
  readonly scenes: readonly SceneResult[];
  /** A second, with every session connected and nothing going on. */
  readonly quiet: Load;
  /** For one session that is dropped and comes back. */
  readonly comeback: Load;
  /** What should not have been, one sentence each. */
  readonly faults: readonly string[];
}

/** How far the clocks of the replicas are ahead, in milliseconds. */
const SKEWS_MS = [0, 60_000, -60_000];
/** How many sessions are linked at a time. */
const AT_ONCE = 4;
/** How long nothing is done while the load is measured, in milliseconds. */
const QUIET_MS = 5_000;
/** How long a scene may take to its end, in milliseconds. */
const PATIENCE_MS = 300_000;

/** @returns null when there is no server program on this machine */
export async function runReplicasDrill(options: DrillOptions): Promise<DrillResult | null> {
  const program = await ownServerProgram();
  if (program === undefined) return null;
  await using resources = new AsyncDisposableStack();
  const server = resources.use(await TestServer.start(program));
  const { url } = await server.database();
  const gateway = resources.use(await startGateway());
  const environment = {
    DATABASE_URL: url,
    CREDENTIALS_KEY: generateCredentialKey(),
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    SOCKET_WORKERS: "1",
    LOG_LEVEL: "info",
  };
  const { bounds, policy } = options;
  const replicas = SKEWS_MS.map((skewMs, i) =>
    resources.use(new ReplicaProcess(`replica ${i + 1}`, { skewMs, bounds, policy, environment }))
  );
  await Promise.all(replicas.map((replica) => replica.start()));
  const balancer = new Balancer(replicas.map(({ origin }) => origin));
  resources.defer(() => balancer.stop());
  return await new Run(options, { server, url, gateway, replicas, hub: new Hub(balancer.origin) }).go();
}

interface Cluster {
  readonly server: TestServer;
  /** The database's address, past every wire. */
  readonly url: string;
  readonly gateway: Gateway;
  readonly replicas: readonly ReplicaProcess[];
  /** By way of the balancer. */
  readonly hub: Hub;
}

class Run {
  readonly #options: DrillOptions;
  readonly #cluster: Cluster;
  readonly #bounds: ReplicaBounds;
  readonly #sessions: readonly Linked[];
  readonly #observer: Observer;
  readonly #faults: string[] = [];
  readonly #scenes: SceneResult[] = [];

  constructor(options: DrillOptions, cluster: Cluster) {
    this.#options = options;
    this.#cluster = cluster;
    this.#bounds = { ...REPLICA_BOUNDS, ...options.bounds };
    this.#sessions = Array.from(
      { length: options.sessions },
      (_, i) => ({ instanceId: `replicated-${i + 1}`, phone: cluster.gateway.phone() }),
    );
    this.#observer = new Observer(cluster.hub, cluster.gateway, this.#sessions);
  }

  async go(): Promise<DrillResult> {
    const { replicas, server } = this.#cluster;
    const [first, second, third] = replicas;
    if (!first || !second || !third) throw new RangeError("The drill wants three replicas.");
    const { ttlMs, marginMs } = this.#bounds;
    try {
      await this.#scene("linked through the balancer", 3, () => this.#link());
      await this.#anyReplicaAnswers();
      await this.#scene("kill -9", 2, async () => {
        const { id } = first;
        await first.kill9();
        await this.#runOut(id);
      });
      await this.#scene("joins again", 3, () => first.start());
      await this.#scene(
        "told to stop",
        2,
        async () => this.#expect(await second.stop() === 0, "it exits with 0"),
      );
      await this.#scene("joins again", 3, () => second.start());
      await this.#scene("frozen for longer than its presence", 2, () => this.#freeze(third));
      await this.#scene("goes on, and finds itself fenced", 3, () => this.#thaw(third));
      await this.#scene("cut off from the database", 2, () => this.#cutOff(second));
      await this.#scene("reaches the database again", 3, () => Promise.resolve(second.wire.mend()));
      await this.#scene("the database killed and started again at once", 3, async () => {
        await server.kill9();
        await server.restart();
      });
      await this.#scene("the database gone for longer than the presences", 3, async () => {
        const fencings = replicas.map((replica) => replica.fencings);
        await server.kill9();
        if (this.#options.runsOutOnDemand) {
          const isLost = (replica: ReplicaProcess, i: number) => replica.fencings > fencings[i]!;
          await within(PATIENCE_MS, () => Promise.resolve(replicas.every(isLost)));
        } else await pause(ttlMs + marginMs);
        await server.restart();
      });
      const quiet = await this.#loadOf(() => pause(QUIET_MS), QUIET_MS / 1_000);
      const comeback = await this.#loadOf(async () => {
        this.#cluster.gateway.dropAll();
        await within(PATIENCE_MS, () => this.#isOnline());
      }, this.#sessions.length);
      return { scenes: this.#scenes, faults: this.#faults, quiet, comeback };
    } finally {
      await this.#observer.stop();
    }
  }

  /** @param present how many replicas there are at its end */
  async #scene(name: string, present: number, act: () => Promise<unknown>): Promise<void> {
    this.#options.onScene?.(name);
    this.#observer.turnPage();
    const since = performance.now();
    await act();
    const isBack = await within(PATIENCE_MS, () => this.#observer.isAllBack());
    const backMs = performance.now() - since;
    this.#expect(isBack, `${name}: every session comes back${isBack ? "" : `\n${this.#story()}`}`);
    const isEven = await within(PATIENCE_MS, () => this.#isEven(present));
    const shares = await this.#shares();
    this.#expect(isEven, `${name}: the sessions are spread evenly, not ${shares.join(", ")}`);
    const seen = this.#observer.turnPage();
    this.#expect(seen.overlaps === 0, `${name}: ${seen.overlaps} logins at the same time as another`);
    this.#scenes.push({ name, backMs, shares, ...seen });
  }

  async #link(): Promise<void> {
    const { hub } = this.#cluster;
    await within(PATIENCE_MS, async () => (await hub.get("nobody").catch(() => null))?.status === 404);
    await inTurns(this.#sessions, AT_ONCE, async ({ instanceId, phone }) => {
      const { qr_string } = await hub.obtainQr(instanceId);
      const { outcome } = await phone.scan(qr_string);
      this.#expect(outcome === "paired", `${instanceId} is linked, and not ${outcome}`);
    });
  }

  /** Three callers at three replicas are one caller, and every replica says the same. */
  async #anyReplicaAnswers(): Promise<void> {
    const { replicas, gateway } = this.#cluster;
    const hubs = replicas.map(({ origin }) => new Hub(origin));
    const before = gateway.stats.registrations;
    const qrs = await Promise.all(hubs.map((hub) => hub.qr("shared")));
    this.#expect(new Set(qrs.map((qr) => JSON.stringify(qr))).size === 1, "three calls get one QR");
    this.#expect(gateway.stats.registrations === before + 1, "three calls open one socket");
    const views = await Promise.all(hubs.map((hub) => hub.session("shared")));
    this.#expect(new Set(views.map((view) => JSON.stringify(view))).size === 1, "every GET says the same");
    this.#expect(views[0]?.qr_status === "generated", "the QR is valid by every clock");
    for (const hub of hubs) {
      const { status, body } = await hub.disconnected("shared", "LOGOUT");
      this.#expect(status === 200, `LOGOUT is answered 200, and not ${status}`);
      this.#expect((body as { status: string }).status === "disconnected", "LOGOUT is in the answer");
    }
    const after = await Promise.all(hubs.map((hub) => hub.session("shared")));
    this.#expect(after.every(({ status }) => status === "disconnected"), "every replica knows of the LOGOUT");
    const linked = this.#sessions[0]!.instanceId;
    const reports = await Promise.all(hubs.map((hub) => hub.disconnected(linked, "NETWORK")));
    this.#expect(reports.every(({ status }) => status === 200), "a report reaches the owner from anywhere");
    await within(PATIENCE_MS, () => this.#observer.isAllBack());
    const refused = await Promise.all(hubs.map((hub) => hub.requestQr(linked)));
    this.#expect(refused.every(({ status }) => status === 409), "no replica shows a QR of a linked session");
    const absent = await Promise.all(hubs.map((hub) => hub.get("unknown")));
    this.#expect(absent.every(({ status }) => status === 404), "no replica knows of nobody's session");
  }

  async #freeze(replica: ReplicaProcess): Promise<void> {
    const held = new Set(await this.#heldBy(replica));
    this.#observer.freeze(
      this.#sessions.filter(({ instanceId }) => held.has(instanceId)).map(({ phone }) => phone.number),
    );
    await replica.freeze();
    const epochs = await this.#epochs();
    await this.#runOut(replica.id);
    await within(PATIENCE_MS, async () => {
      const now = await this.#epochs();
      return [...held].every((id) => (now.get(id) ?? 0) > (epochs.get(id) ?? 0));
    });
  }

  async #thaw(replica: ReplicaProcess): Promise<void> {
    const fencings = replica.fencings;
    replica.signal("SIGCONT");
    const isFenced = await within(PATIENCE_MS, () => Promise.resolve(replica.fencings > fencings));
    this.#expect(isFenced, "the frozen replica finds itself fenced");
    this.#observer.freeze([]);
    for (const { instanceId } of this.#sessions) {
      const view = await this.#cluster.hub.get(instanceId).catch(() => null);
      const { status } = (view?.body ?? {}) as { status?: string };
      this.#expect(status !== "error", `${instanceId} is not in error for what the frozen replica heard`);
    }
  }

  /** The others take over only after this one has closed its sockets, which the gateway sees. */
  async #cutOff(replica: ReplicaProcess): Promise<void> {
    const fencings = replica.fencings;
    replica.wire.cut();
    const isFenced = await within(PATIENCE_MS, () => Promise.resolve(replica.fencings > fencings));
    this.#expect(isFenced, "the replica without a database lets go by itself");
    await this.#runOut(replica.id);
  }

  /** What the server was asked meanwhile, divided by this; the observer's own calls are left out. */
  async #loadOf(work: () => Promise<unknown>, by: number): Promise<Load> {
    this.#observer.rest();
    const before = await this.#counters();
    await work();
    const after = await this.#counters();
    this.#observer.goOn();
    return { reads: (after.reads - before.reads) / by, writes: (after.writes - before.writes) / by };
  }

  async #counters(): Promise<Load> {
    const rows = await this.#cluster.server.run("show global status like 'Com\\_%'");
    const sum = (pattern: RegExp) =>
      rows.filter((row) => pattern.test(String(row["Variable_name"])))
        .reduce((total, row) => total + Number(row["Value"]), 0);
    return { reads: sum(/^Com_select$/), writes: sum(/^Com_(insert|update|update_multi|delete|replace)$/) };
  }

  /** The presence of a replica that does not renew it any more has run out, where that is the drill's to say. */
  async #runOut(id: string): Promise<void> {
    if (!this.#options.runsOutOnDemand) return;
    await query(
      this.#cluster.url,
      `delete from ll_whatsapp_replicas where replica_id = '${id}'`,
    );
  }

  #isOnline(): Promise<boolean> {
    return Promise.resolve(this.#sessions.every(({ phone }) => phone.devices.some(({ online }) => online)));
  }

  async #heldBy({ id }: ReplicaProcess): Promise<string[]> {
    const rows = await query(
      this.#cluster.url,
      `select instance_id from ${LEASES} where resting = 0 and replica_id = '${id}'`,
    );
    return rows.map((row) => row.instance_id);
  }

  async #epochs(): Promise<Map<string, number>> {
    const rows = await query(this.#cluster.url, `select instance_id, epoch from ${LEASES}`);
    return new Map(rows.map((row) => [row.instance_id, Number(row.epoch)]));
  }

  async #shares(): Promise<number[]> {
    return await Promise.all(
      this.#cluster.replicas.map(async (replica) => (await this.#heldBy(replica)).length),
    );
  }

  /** Whether so many are present, and none has more than its share. */
  async #isEven(present: number): Promise<boolean> {
    const rows = await query(
      this.#cluster.url,
      "select count(l.instance_id) as count from ll_whatsapp_replicas r " +
        `left join ${LEASES} l on l.replica_id = r.replica_id and l.resting = 0 ` +
        "where r.expires_at > utc_timestamp(3) group by r.replica_id",
    );
    const counts = rows.map((row) => Number(row.count));
    const share = Math.ceil(this.#sessions.length / present);
    return counts.length === present &&
      counts.reduce((sum, count) => sum + count, 0) === this.#sessions.length &&
      counts.every((count) => count <= share);
  }

  #expect(holds: boolean, what: string): void {
    if (!holds) this.#faults.push(`It should have been that ${what}.`);
  }

  #story(): string {
    return this.#cluster.replicas.map(({ name, lastWords }) => `${name}:\n${lastWords}`).join("\n\n");
  }
}
