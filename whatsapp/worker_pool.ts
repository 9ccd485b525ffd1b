/**
 * The workers that carry the sockets. Sockets are spread over them; a worker that dies takes only its
 * own sockets down, and is replaced.
 * @module
 */
import type { Log } from "./log.ts";
import type { Command, Purpose, Report, SocketId, SocketSettings } from "./protocol.ts";
import type { Socket, SocketLayer, SocketListener } from "./socket_layer.ts";

export interface WorkerPoolOptions {
  /** How many workers; at least 1. */
  readonly size: number;
  readonly settings: SocketSettings;
  readonly log: Log;
  /** What a worker runs; the product's own unless a test wants to see the wall from inside. */
  readonly script?: URL;
}

/** What Baileys and its packages read of the environment: feature switches of theirs, no secrets. */
export const WORKER_ENVIRONMENT = [
  "WS_NO_BUFFER_UTIL",
  "WS_NO_UTF_8_VALIDATE",
  "NODE_DEBUG",
  "NODE_ENV",
  "DEBUG",
  "NODE_V8_COVERAGE",
  "WHATSAPP_RUST_BRIDGE_FORCE_NOSIMD",
] as const;

/** What Baileys and its packages ask of the system: the names by which a client introduces itself. */
export const WORKER_SYSTEM = ["hostname", "osRelease"] as const;

/**
 * The wall: a worker reaches WhatsApp's host and nothing else. No file, no program, no library, no other
 * host, and of the environment only the names above.
 * @param url WhatsApp's address
 */
export function workerPermissions(url: string): Deno.PermissionOptionsObject {
  return {
    net: [hostAndPort(url)],
    env: [...WORKER_ENVIRONMENT],
    sys: [...WORKER_SYSTEM],
    read: false,
    write: false,
    run: false,
    ffi: false,
    import: false,
  };
}

/** `web.whatsapp.com:443` for `wss://web.whatsapp.com/ws/chat`. */
export function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "wss:" ? "443" : "80")}`;
}

interface PooledWorker {
  readonly worker: Worker;
  readonly sockets: Map<SocketId, SocketListener>;
}

export class WorkerPool implements SocketLayer {
  readonly #options: WorkerPoolOptions;
  readonly #workers: PooledWorker[] = [];
  #nextSocket: SocketId = 1;
  #stopped = false;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts the workers. Sockets may be opened at once; they wait in their worker's queue. */
  start(): void {
    while (this.#workers.length < this.#options.size) this.#workers.push(this.#spawn());
  }

  /** How many sockets each worker carries. */
  get load(): readonly number[] {
    return this.#workers.map(({ sockets }) => sockets.size);
  }

  open(purpose: Purpose, listener: SocketListener): Socket {
    const pooled = this.#leastLoaded();
    const socket = this.#nextSocket++;
    pooled.sockets.set(socket, listener);
    post(pooled, { type: "open", socket, purpose });
    return {
      close: ({ unlink }) => {
        if (pooled.sockets.delete(socket)) post(pooled, { type: "close", socket, unlink });
      },
    };
  }

  /** Ends every worker, and with it every socket that is still open. Nothing more is told of any. */
  stop(): void {
    this.#stopped = true;
    for (const { worker, sockets } of this.#workers.splice(0)) {
      sockets.clear();
      worker.terminate();
    }
  }

  #leastLoaded(): PooledWorker {
    const [first, ...others] = this.#workers;
    if (first === undefined) throw new Error("The worker pool has not been started.");
    return others.reduce((least, other) => other.sockets.size < least.sockets.size ? other : least, first);
  }

  #spawn(): PooledWorker {
    const { settings, script = new URL("./worker/main.ts", import.meta.url) } = this.#options;
    const worker = new Worker(script.href, {
      type: "module",
      name: "whatsapp",
      deno: { permissions: workerPermissions(settings.url) },
    });
    const pooled: PooledWorker = { worker, sockets: new Map() };
    worker.onmessage = ({ data }: MessageEvent<Report>) => this.#onReport(pooled, data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#onLost(pooled, event.message);
    };
    post(pooled, { type: "start", settings });
    return pooled;
  }

  #onReport(pooled: PooledWorker, report: Report): void {
    if (report.type === "ready") return;
    const listener = pooled.sockets.get(report.socket);
    // A late word: the socket was told to close, and nobody waits for it any more.
    if (listener === undefined) return;
    switch (report.type) {
      case "qr":
        return listener.qr(report.string, report.ordinal, report.generatedAt);
      case "paired":
        return listener.paired(report.credentials, report.keys);
      case "passkey_demanded":
        return listener.passkeyDemanded();
      case "connected":
        return listener.connected(report.jid);
      case "closed":
        pooled.sockets.delete(report.socket);
        return listener.closed(report.cause);
      case "load":
        return reply(pooled, report.request, listener.load(report.keyType, report.ids));
      case "save":
        return reply(
          pooled,
          report.request,
          listener.save(report.keys, report.credentials).then(() => new Map()),
        );
      default:
        return report satisfies never;
    }
  }

  #onLost(lost: PooledWorker, message: string): void {
    const index = this.#workers.indexOf(lost);
    if (index < 0 || this.#stopped) return;
    this.#options.log.error({ event: "worker_lost", sockets: lost.sockets.size, reason: message });
    lost.worker.terminate();
    this.#workers[index] = this.#spawn();
    const orphans = [...lost.sockets.values()];
    lost.sockets.clear();
    for (const listener of orphans) listener.closed({ origin: "worker" });
  }
}

function post({ worker }: PooledWorker, command: Command): void {
  worker.postMessage(command);
}

function reply(
  pooled: PooledWorker,
  request: number,
  answer: Promise<ReadonlyMap<string, string>>,
): void {
  answer.then(
    (values) => post(pooled, { type: "reply", request, values }),
    () => post(pooled, { type: "reply", request, values: null }),
  );
}
