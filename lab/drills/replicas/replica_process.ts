/**
 * One replica: a process of its own with the permissions of the product, its own way to the database, and a
 * clock of its own.
 * @module
 */
import type { Policy } from "../../../domain/snapshot.ts";
import type { ReplicaBounds } from "../../../cluster/replica.ts";
import { isStopped } from "../../databases/server.ts";
import { flagsFor, TestProcess } from "../../process.ts";
import { lastingPort } from "../service_process.ts";
import { Wire } from "./wire.ts";

export interface ReplicaSettings {
  /** How far its clock is ahead, in milliseconds. */
  readonly skewMs: number;
  readonly bounds: Partial<ReplicaBounds>;
  readonly policy: Partial<Policy>;
  /** What all replicas are told. */
  readonly environment: Readonly<Record<string, string>>;
  /** Reaches the database by itself, and not by a wire that can be cut. */
  readonly isDirect?: boolean;
}

/** A drill asks far more often than a Hub may, and a QR may take longer than a Hub would wait. */
const UNLIMITED = { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0", QR_WAIT_MS: "120000" };

export class ReplicaProcess {
  readonly name: string;
  readonly port = lastingPort();
  readonly #wire: Wire | null;
  readonly #settings: ReplicaSettings;
  #process: TestProcess | null = null;

  constructor(name: string, settings: ReplicaSettings) {
    this.name = name;
    this.#settings = settings;
    this.#wire = settings.isDirect ? null : new Wire(settings.environment.DATABASE_URL!);
  }

  /** Its way to the database, where that can be cut. */
  get wire(): Wire {
    if (this.#wire === null) throw new Error(`${this.name} reaches the database by itself.`);
    return this.#wire;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, and resolves once it listens. */
  async start(): Promise<void> {
    const { environment, skewMs, bounds, policy } = this.#settings;
    const way: Record<string, string> = this.#wire === null ? {} : { DATABASE_URL: this.#wire.url };
    const full = { ...environment, ...UNLIMITED, ...way, PORT: String(this.port) };
    this.#process = TestProcess.script(
      "lab/drills/replicas/replica_main.ts",
      ["--no-check", ...flagsFor(full)],
      full,
      [JSON.stringify({ skewMs, bounds, policy })],
    );
    await this.#process.event("listening");
  }

  /** The id under which it is present now. */
  get id(): string {
    const joined = this.#events("replica_joined").at(-1);
    return String(joined?.replica);
  }

  /** How often it has found itself fenced off. */
  get fencings(): number {
    return this.#events("replica_fenced").length;
  }

  signal(signal: Deno.Signal): void {
    this.#process?.kill(signal);
  }

  /** Stops it in its tracks; resolves once every thread of it has stopped. */
  async freeze(): Promise<void> {
    const { pid } = this.#process!;
    this.signal("SIGSTOP");
    while (!await isStopped(pid)) { /* look again */ }
  }

  /** Ends it without a word. */
  async kill9(): Promise<void> {
    this.signal("SIGKILL");
    await this.#process?.exit();
  }

  /** Ends it properly. @returns its exit code */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    return await this.#process!.exit();
  }

  /** Its last words, for stories. */
  get lastWords(): string {
    return (this.#process?.lines ?? []).filter((line) => !line.includes('"event":"request"')).slice(-60)
      .join("\n");
  }

  /** Everything that it logged. */
  get lines(): readonly string[] {
    return this.#process?.lines ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process !== null && !this.#process.ended) {
      this.signal("SIGCONT");
      await this.#process[Symbol.asyncDispose]();
    }
    await this.#wire?.close();
  }

  #events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));
  }
}
