/**
 * The service as a process of its own, started as `deno task start` starts it: the flags of
 * `permissions.ts`, its own entry point, its log on standard output. It can be killed.
 * @module
 */
import { parseConfig } from "../../config.ts";
import { permissionFlags } from "../../permissions.ts";
import type { Gateway } from "../simulator/mod.ts";
import { startCommand } from "../../tools/start.ts";

const ROOT = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
/** How long a start may take until it listens, in milliseconds. */
const START_MS = 120_000;
/** How much of what the process wrote is kept for stories. */
const KEPT_LINES = 4_000;

/** A drill asks far more often than a Hub may, and a QR may take longer than a Hub would wait. */
const UNLIMITED = { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0", QR_WAIT_MS: "120000" };

export interface ServiceSettings {
  readonly port: number;
  /** What the service has to be told of its database, by variable. */
  readonly database: Readonly<Record<string, string>>;
  readonly gateway: Pick<Gateway, "url" | "rootKey">;
}

/** A running service. */
export class ServiceProcess {
  /** When it was started: by `performance.now()`, in milliseconds. */
  readonly startedAt = performance.now();
  /** Resolves once it listens; rejects with what it wrote when it ends before. */
  readonly listening: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<unknown>;
  readonly #lines: string[] = [];

  /** @param settings where it listens, its database and its WhatsApp */
  constructor(settings: ServiceSettings) {
    const environment = {
      ...settings.database,
      PORT: String(settings.port),
      WHATSAPP_WS_URL: settings.gateway.url,
      WHATSAPP_ROOT_KEY: settings.gateway.rootKey,
      ...UNLIMITED,
    };
    const flags = permissionFlags(parseConfig(environment, navigator.hardwareConcurrency), ROOT);
    this.#child = new Deno.Command(Deno.execPath(), {
      args: startCommand(ROOT, flags),
      env: environment,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const started = Promise.withResolvers<void>();
    const timer = setTimeout(() => started.reject(this.#failure("did not listen in time")), START_MS);
    this.#drained = Promise.all(
      [this.#child.stdout, this.#child.stderr].map((stream) => this.#read(stream, started.resolve)),
    ).then(() => started.reject(this.#failure("ended before it listened")));
    this.listening = started.promise.finally(() => clearTimeout(timer));
    // A start that is killed on purpose is nobody's error.
    this.listening.catch(() => {});
  }

  /**
   * Ends it without a word, and resolves once the system has closed all that it held.
   * @returns false when it had ended by itself
   */
  async kill9(): Promise<boolean> {
    return (await this.#end("SIGKILL")).signal === "SIGKILL";
  }

  /** Ends it properly. @returns its exit code */
  async stop(): Promise<number> {
    return (await this.#end("SIGTERM")).code;
  }

  /** What it logged of one instance, as it logged it, less the questions of the drill itself. */
  logOf(instanceId: string): string[] {
    return this.#lines.filter((line) =>
      line.includes(`"instance_id":"${instanceId}"`) && !line.includes('"event":"request"')
    );
  }

  async #end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended by itself; its status says how.
    }
    const status = await this.#child.status;
    await this.#drained;
    return status;
  }

  async #read(stream: ReadableStream<Uint8Array>, onListening: () => void): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.includes('"event":"listening"')) onListening();
        this.#lines.push(line);
      }
      if (this.#lines.length > KEPT_LINES) this.#lines.splice(0, this.#lines.length - KEPT_LINES);
    }
    if (rest !== "") this.#lines.push(rest);
  }

  /** The last lines that it wrote. */
  get lastWords(): string {
    return this.#lines.slice(-20).join("\n");
  }

  #failure(what: string): Error {
    return new Error(`The service ${what}. It wrote:\n${this.lastWords}`);
  }
}

/**
 * A port for one service over many lives. Below the range from which outgoing connections take theirs, or
 * one of them could hold the port while the service is down.
 */
export function lastingPort(): number {
  for (;;) {
    const port = 20_000 + crypto.getRandomValues(new Uint16Array(1))[0]! % 12_000;
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
