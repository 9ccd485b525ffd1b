/**
 * The whole product against a WhatsApp server: real HTTP, real workers, real Baileys sockets, a real
 * database, and every scenario over each kind of database. Tests wait for what happens, never for time.
 * @module
 */
import { type Config, parseConfig } from "../../config.ts";
import { isAtRest, type Policy, type SessionSnapshot } from "../../domain/snapshot.ts";
import type { SessionView } from "@session-manager/contract";
import { type Service, type ServiceOptions, startService } from "../../service.ts";
import type { Log, LogFields } from "../../runtime/log.ts";
import type { SocketSettings } from "../../whatsapp/protocol.ts";
import { type Gateway, type GatewayOptions, type Phone, startGateway } from "../../lab/simulator/mod.ts";
import { generateCredentialKey } from "../../db/mod.ts";
import { isLeftOut, mysql, query, SQLITE, type TestDialect } from "../../lab/databases/helpers.ts";
import { Hub } from "../../lab/hub.ts";

/** How long a test waits for something that has to happen, in milliseconds, before it fails: it only ends what hangs. */
const PATIENCE_MS = 300_000;

/**
 * Bounds under which a test need not wait for minutes; what they bound is the same. Deadlines are longer than the
 * product's own: where a test is not about one, a busy machine must not miss it.
 */
export const BRISK: Partial<Policy> = {
  backoff: { baseMs: 20, quickMs: 200, capMs: 200 },
  stableMs: 200,
  restartMs: PATIENCE_MS,
  loginMs: PATIENCE_MS,
};
const ROOMY = {
  environment: { QR_WAIT_MS: String(PATIENCE_MS) },
  watch: { hangMs: PATIENCE_MS },
  // It outlasts a database that a test takes away.
  replica: { ttlMs: 4 * PATIENCE_MS, marginMs: 2 * PATIENCE_MS },
  store: {
    callMs: PATIENCE_MS,
    controlMs: PATIENCE_MS,
    patienceMs: PATIENCE_MS,
    breaker: { silenceMs: PATIENCE_MS },
  },
};

/** Logins that wait to be unlinked are seen to without a person's patience. */
const BRISK_UNLINKING: ServiceOptions["unlinker"] = {
  lookMs: 50,
  answeredPauseMs: 100,
  unansweredPauseMs: 200,
};

export const DAY_MS = 86_400_000;
/**
 * For a world whose time a test drives: a worker that cannot answer meanwhile does not count as one that hangs, and a
 * database that has a clock of its own is not asked for it.
 */
export const UNWATCHED = {
  watch: { heartbeatMs: DAY_MS },
  replica: { ttlMs: 3 * DAY_MS, renewMs: DAY_MS, marginMs: DAY_MS, snapshotMs: DAY_MS },
} satisfies Pick<ServiceOptions, "watch" | "replica">;

export interface WorldOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly policy?: Partial<Policy>;
  readonly socketSettings?: Partial<SocketSettings>;
  /** A gateway of the test's own; it is then not stopped with this world. */
  readonly gateway?: Gateway;
  /** How its own gateway is, otherwise. */
  readonly gatewayOptions?: GatewayOptions;
  /** A database to start on; a new one where it is not given. */
  readonly databaseUrl?: string;
  /** Pauses between attempts to reach the database, in milliseconds. */
  readonly storePausesMs?: readonly number[];
  /** How long the database is waited for; by itself longer than the product does. */
  readonly storeBounds?: ServiceOptions["storeBounds"];
  /** How long a request's body may take to arrive, in milliseconds. */
  readonly bodyMs?: number;
  /** How supervision is bounded and watched, where it matters. */
  readonly supervision?: Pick<
    ServiceOptions,
    "clock" | "logins" | "replica" | "unlinker" | "watch" | "workerScript"
  >;
}

export class World implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly service: Service;
  readonly hub: Hub;
  readonly config: Config;
  readonly log: Recorder;
  readonly origin: string;
  readonly #server: Deno.HttpServer;
  readonly #cleanUp: () => Promise<void>;
  /** Every session that has changed, as it is. */
  readonly #snapshots = new Map<string, SessionSnapshot>();
  #stopped = false;

  private constructor(
    parts: {
      gateway: Gateway;
      service: Service;
      config: Config;
      log: Recorder;
      cleanUp: () => Promise<void>;
    },
  ) {
    this.gateway = parts.gateway;
    this.service = parts.service;
    this.config = parts.config;
    this.log = parts.log;
    this.#cleanUp = parts.cleanUp;
    this.service.sessions.onChange(({ after }) => void this.#snapshots.set(after.session.instanceId, after));
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, parts.service.fetch);
    this.origin = `http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}`;
    this.hub = new Hub(this.origin, parts.config.hubKeys[0]);
  }

  /** Starts the product over this database, which is kept afterwards. */
  static async start(options: WorldOptions & { readonly databaseUrl: string }): Promise<World> {
    const gateway = options.gateway ?? await startGateway(options.gatewayOptions);
    const cleanUp = async () => {
      if (options.gateway === undefined) await gateway.stop();
    };
    const config = parseConfig({
      DATABASE_URL: options.databaseUrl,
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
      ...ROOMY.environment,
      ...options.environment,
    }, 2);
    const log = new Recorder();
    try {
      const service = await startService({
        config,
        log,
        policy: { ...BRISK, ...options.policy },
        socketSettings: { connectMs: PATIENCE_MS, ...options.socketSettings },
        unlinker: BRISK_UNLINKING,
        ...options.supervision,
        watch: { ...ROOMY.watch, ...options.supervision?.watch },
        replica: { ...ROOMY.replica, ...options.supervision?.replica },
        storeBounds: { ...ROOMY.store, ...options.storeBounds },
        ...(options.bodyMs === undefined ? {} : { bodyMs: options.bodyMs }),
        ...(options.storePausesMs ? { storePausesMs: options.storePausesMs } : {}),
      });
      return new World({ gateway, service, config, log, cleanUp });
    } catch (error) {
      await cleanUp();
      throw error;
    }
  }

  /** Whether the service has been stopped. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** The session, as soon as the front door tells it as `isThere` wants it. */
  until(instanceId: string, isThere: (session: SessionView) => boolean): Promise<SessionView> {
    const { promise, resolve, reject } = Promise.withResolvers<SessionView>();
    let last: unknown;
    const look = async () => {
      const { status, body } = await this.hub.get(instanceId);
      last = body;
      if (status === 200 && isThere(body as SessionView)) resolve(body as SessionView);
    };
    const onChange = this.service.sessions.onChange(({ after }) => {
      if (after.session.instanceId === instanceId) look().catch(reject);
    });
    // A session whose write waits is not told of; that it waits no longer is a change too.
    const onLine = this.log.on(({ event, instance_id }) => {
      if (event === "store_available" && instance_id === instanceId) look().catch(reject);
    });
    const timer = setTimeout(
      () => reject(new Error(`${instanceId} did not get there; last seen: ${JSON.stringify(last)}`)),
      PATIENCE_MS,
    );
    look().catch(reject);
    return promise.finally(() => {
      clearTimeout(timer);
      onChange();
      onLine();
    });
  }

  untilStatus(instanceId: string, status: SessionView["status"]): Promise<SessionView> {
    return this.until(instanceId, (session) => session.status === status);
  }

  /** Waits until something that happened to this session could not be written. */
  untilStalled(instanceId: string): Promise<LogFields> {
    return this.log.next(({ event, instance_id }) =>
      event === "store_unavailable" && instance_id === instanceId
    );
  }

  /** What the database holds, over a connection of its own. */
  rows(statement: string): Promise<any[]> {
    return query(this.config.databaseUrl, statement);
  }

  /**
   * Links a session as a person would: asks for the QR, scans it with a phone, again where the QR was over before it
   * was scanned, and waits for `connected`.
   */
  async link(instanceId: string, phone: Phone = this.gateway.phone()): Promise<Phone> {
    for (let outcome = "expired"; outcome !== "paired";) {
      if (outcome !== "expired") throw new Error(`The scan ended with ${outcome}.`);
      ({ outcome } = await phone.scan((await this.hub.qr(instanceId)).qr_string));
    }
    await this.untilStatus(instanceId, "connected");
    return phone;
  }

  /** Asks until `/readyz` answers with this status. */
  async untilReadiness(status: 200 | 503): Promise<void> {
    for (;;) {
      const response = await fetch(`${this.origin}/readyz`);
      await response.body?.cancel();
      if (response.status === status) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /**
   * Back to rest: every session is logged out, WhatsApp forgets what was to go wrong, nothing is connected, and
   * nothing is counted or logged any more.
   */
  async settle(): Promise<void> {
    this.gateway.faults.clear();
    if (!this.gateway.listening) await this.gateway.comeBack();
    const { sessions, socketLoad } = this.service;
    const busy = [...this.#snapshots].filter(([, snapshot]) =>
      !isAtRest(snapshot) || snapshot.link !== "none" || snapshot.predecessor
    );
    await Promise.all(busy.map(([instanceId]) => sessions.reportDisconnected(instanceId, "LOGOUT")));
    const deadline = performance.now() + PATIENCE_MS;
    while (
      sessions.supervised > 0 || socketLoad().some(Boolean) || this.gateway.connections.length > 0 ||
      await this.#retiredLogins() > 0
    ) {
      if (performance.now() > deadline) throw new Error("The world did not come to rest.");
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    this.#snapshots.clear();
    this.gateway.startOver();
    this.log.lines.length = 0;
  }

  async #retiredLogins(): Promise<number> {
    const [row] = await this.rows("SELECT count(*) AS waiting FROM ll_whatsapp_retired_logins");
    return Number(row?.waiting);
  }

  /** Stops the service, and nothing else: what another world starts with is what it left behind. */
  async stopService(): Promise<void> {
    this.#stopped = true;
    const drained = this.#server.shutdown();
    await this.service.stop();
    await drained;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopService();
    await this.#cleanUp();
  }
}

/** Keeps every line that was logged. */
export class Recorder implements Log {
  readonly lines: LogFields[] = [];
  readonly #listeners = new Set<(fields: LogFields) => void>();

  readonly debug = (fields: LogFields): void => this.#record(fields);
  readonly info = this.debug;
  readonly warn = this.debug;
  readonly error = this.debug;

  /** Hears of every line from now on; the returned function ends that. */
  on(listener: (fields: LogFields) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The next line that fits. */
  next(fits: (fields: LogFields) => boolean): Promise<LogFields> {
    const { promise, resolve, reject } = Promise.withResolvers<LogFields>();
    const timer = setTimeout(() => reject(new Error("The line was not logged.")), PATIENCE_MS);
    const off = this.on((fields) => {
      if (fits(fields)) resolve(fields);
    });
    return promise.finally(() => {
      clearTimeout(timer);
      off();
    });
  }

  #record(fields: LogFields): void {
    this.lines.push(fields);
    for (const listener of this.#listeners) listener(fields);
  }
}

/** Starts the product: on a new database of the scenario's dialect, or on the one that is given. */
export type Start = (options?: WorldOptions) => Promise<World>;

export interface ScenarioOptions {
  /** For what concerns one kind of database, or none. */
  readonly only?: TestDialect["name"];
}

const DIALECTS: readonly TestDialect[] = [SQLITE, await mysql()].filter((dialect) => !isLeftOut(dialect));

/**
 * A test over each kind of database, which leaves nothing behind: no socket, no timer, no worker, no
 * database.
 */
export function scenario(
  name: string,
  body: (start: Start, t: Deno.TestContext) => Promise<void>,
  { only }: ScenarioOptions = {},
): void {
  for (const dialect of DIALECTS) {
    if (only === undefined || only === dialect.name) {
      dialectTest(dialect, name, async (t) => {
        await using databases = new AsyncDisposableStack();
        await body(startOn(databases, dialect), t);
      });
    }
  }
}

/** A test over a new database of each kind, for what starts processes of its own. */
export function databaseScenario(name: string, body: (url: string) => Promise<void>): void {
  for (const dialect of DIALECTS) {
    dialectTest(dialect, name, async () => {
      await using database = await dialect.database();
      await body(database.url);
    });
  }
}

function dialectTest(
  dialect: TestDialect,
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  const why = dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`;
  Deno.test({
    name: `${name}, on ${dialect.name}${why}`,
    ignore: dialect.skipped !== undefined,
    sanitizeOps: true,
    sanitizeResources: true,
    fn,
  });
}

/** One key for all that a scenario starts, as an operator has one; an embedded database brings its own. */
export function startOn(databases: AsyncDisposableStack, dialect: TestDialect): Start {
  const key: Record<string, string> = dialect.name === "mysql"
    ? { CREDENTIALS_KEY: generateCredentialKey() }
    : {};
  return async (options = {}) => {
    const databaseUrl = options.databaseUrl ?? databases.use(await dialect.database()).url;
    return await World.start({ ...options, databaseUrl, environment: { ...key, ...options.environment } });
  };
}
