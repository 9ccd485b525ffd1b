/**
 * One service at the end of a link: a process in a network of its own, which reaches WhatsApp, the database and the Hub
 * over nothing else.
 * @module
 */
import type { ServiceOptions } from "../../../service.ts";
import type { Gateway } from "../../simulator/mod.ts";
import { Hub } from "../../hub.ts";
import { type Environment, flagsFor, TestProcess } from "../../process.ts";
import type { Condition, Link } from "./link.ts";

const ROOT = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
const KEY = "the-key-of-the-drill";
const PORT = 8_080;
/** A drill asks far more often than a Hub may, and a QR may take longer than a Hub would wait. */
const UNLIMITED = { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0", QR_WAIT_MS: "120000" };

/** Bounds under which a test need not wait for minutes. */
export type SiteBounds = Pick<ServiceOptions, "policy" | "socketSettings" | "watch">;

/** What the service reaches over its link. */
export type Peer = "whatsapp" | "database" | "hub";

export class Site implements AsyncDisposable {
  readonly hub: Hub;
  readonly #link: Link;
  readonly #ports: ReadonlyMap<Peer, number>;
  readonly #process: TestProcess;

  private constructor(link: Link, ports: ReadonlyMap<Peer, number>, process: TestProcess) {
    this.#link = link;
    this.#ports = ports;
    this.#process = process;
    this.hub = new Hub(`http://${link.far}:${PORT}`, KEY);
  }

  /** Starts a service; resolves once it listens. */
  static async start(
    link: Link,
    gateway: Gateway,
    database: Environment & { readonly DATABASE_URL: string },
    bounds: SiteBounds,
  ): Promise<Site> {
    const ports = new Map<Peer, number>([["hub", PORT]]);
    const through = async (peer: Peer, text: string): Promise<string> => {
      const url = new URL(text);
      ports.set(peer, await link.relay(Number(url.port)));
      url.hostname = link.near;
      url.port = String(ports.get(peer));
      return url.href;
    };
    const isRemote = database.DATABASE_URL.startsWith("mysql:");
    const environment = {
      ...UNLIMITED,
      ...database,
      ...(isRemote ? { DATABASE_URL: await through("database", database.DATABASE_URL) } : {}),
      HOST: link.far,
      PORT: String(PORT),
      HUB_API_KEY: KEY,
      INTERNAL_API_KEY: `${KEY}-within`,
      WHATSAPP_WS_URL: await through("whatsapp", gateway.url),
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
    };
    const { program, args } = link.command([
      Deno.execPath(),
      ...["run", "--quiet", "--no-check", `--config=${ROOT}/deno.json`, ...flagsFor(environment)],
      `${ROOT}/lab/drills/network/service_main.ts`,
      JSON.stringify(bounds),
    ]);
    const process = new TestProcess(program, args, environment);
    const site = new Site(link, ports, process);
    try {
      await link.attach(process.pid);
      await process.event("listening");
      return site;
    } catch (error) {
      await site[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The name under which it is present in the database. */
  async replica(): Promise<string> {
    return (await this.#process.event("replica_joined")).replica;
  }

  /** What becomes of what goes between the service and this peer. */
  set(peer: Peer, condition: Condition): void {
    const port = this.#ports.get(peer);
    if (port === undefined) throw new Error(`There is no ${peer} behind this link.`);
    this.#link.set(port, condition);
  }

  /** What the service says of itself, `null` where nothing arrives. */
  async isReady(): Promise<boolean> {
    const signal = AbortSignal.timeout(10_000);
    const answer = await fetch(`http://${this.#link.far}:${PORT}/readyz`, { signal }).catch(() => null);
    await answer?.body?.cancel();
    return answer?.ok ?? false;
  }

  /** What it is told of a session; undefined where that is no status. */
  async status(instanceId: string): Promise<string | undefined> {
    const answer = await this.hub.get(instanceId).catch(() => null);
    return answer?.status === 200 ? (answer.body as { status: string }).status : undefined;
  }

  /** The lines of its log so far that name this event. */
  count(event: string): number {
    return this.#process.lines.filter((line) => line.includes(`"event":"${event}"`)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}
