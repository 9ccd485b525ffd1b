/**
 * The product, wired: store, workers, session manager, routes. `main.ts` runs it; tests run it too, with
 * their own bounds.
 * @module
 */
import type { Config } from "./config.ts";
import {
  claimDatabase,
  type CredentialKeys,
  generateCredentialKey,
  loadOrCreateKeyFile,
  nodeName,
  openStore,
  parseCredentialKeys,
  parseDatabaseUrl,
  type Store,
  type StoreBounds,
} from "./db/mod.ts";
import { DEFAULT_POLICY, type Policy } from "./domain/snapshot.ts";
import { StoreUnavailableError } from "./sessions/ports/store.ts";
import { WHATSAPP_QR_LIFE } from "./domain/qr.ts";
import { meterStore } from "./db/metered_store.ts";
import { createMetrics } from "./runtime/metrics.ts";
import { PrimaryRecord } from "./runtime/primary_record.ts";
import { RequestMeter } from "./runtime/request_meter.ts";
import { readMetrics } from "./runtime/readings.ts";
import { SessionMeter } from "./runtime/session_meter.ts";
import { Replica, REPLICA_BOUNDS, type ReplicaBounds } from "./cluster/replica.ts";
import { SharedClock } from "./cluster/shared_clock.ts";
import { createApp } from "./routes/app.ts";
import type { Readiness } from "./routes/ports.ts";
import { withoutForeign } from "./sessions/foreign_rows.ts";
import { Admission } from "./sessions/admission.ts";
import { type Clock, pause, systemClock } from "./runtime/clock.ts";
import type { Log } from "./runtime/log.ts";
import { Logins } from "./sessions/logins.ts";
import { SessionManager } from "./sessions/manager.ts";
import { PairingSlots } from "./sessions/pairing_slots.ts";
import type { SocketSettings } from "./whatsapp/protocol.ts";
import { UNLINK_OUTCOMES, Unlinker, type UnlinkerBounds } from "./sessions/unlinker.ts";
import { type WatchOptions, WorkerPool } from "./whatsapp/worker_pool.ts";

/** How many sessions of a process may be logging in at the same time, and how many may try in a second. */
const LOGINS = { concurrent: 16, perSecond: 50 };

/** Pauses between attempts to reach the database at the start, in milliseconds: half a minute in all. */
export const STORE_PAUSES_MS: readonly number[] = [500, 1_000, 2_000, 4_000, 7_500, 7_500, 7_500];

/**
 * How often WhatsApp is pinged, how long a connection may take to open, and how long it may be silent, in
 * milliseconds. A dead connection is found out within the silence and one heartbeat of its worker: 40 s.
 */
const SOCKET_BOUNDS = { keepAliveMs: 15_000, connectMs: 20_000, silenceMs: 35_000 };

/** What the service is wired from; all but configuration and log have the product's own defaults. */
export interface ServiceOptions {
  readonly config: Config;
  readonly log: Log;
  /** Where the log goes; without it no line is ever told to be dropped. */
  readonly logOutput?: { readonly dropped: number };
  /** What failed without anybody waiting for it; without it, it is not counted. */
  readonly survivals?: { readonly survived: number };
  readonly clock?: Clock;
  /** Bounds other than the product's own. */
  readonly policy?: Partial<Policy>;
  readonly socketSettings?: Partial<SocketSettings>;
  readonly watch?: Partial<WatchOptions>;
  readonly logins?: Partial<typeof LOGINS>;
  readonly replica?: Partial<ReplicaBounds>;
  readonly unlinker?: Partial<UnlinkerBounds>;
  /** How long a request's body may take to arrive, in milliseconds. */
  readonly bodyMs?: number;
  /** What the workers run, in place of the product's own. */
  readonly workerScript?: URL;
  /** Pauses between attempts to reach the database, in milliseconds; as many retries as there are pauses. */
  readonly storePausesMs?: readonly number[];
  /** How long the database is waited for. */
  readonly storeBounds?: Partial<StoreBounds> & {
    /** How long a call waits for what has to be written, in milliseconds. */
    readonly patienceMs?: number;
  };
}

/** A running service, without its listener. */
export interface Service {
  /** Answers one HTTP request. */
  readonly fetch: (request: Request) => Response | Promise<Response>;
  readonly sessions: SessionManager;
  /** Sockets a worker, in the order of the workers. */
  readonly socketLoad: () => readonly number[];
  /** Closes every socket without unlinking, then the store. */
  stop(): Promise<void>;
}

/**
 * Opens the store, starts the workers and brings the sessions back.
 * @throws {StoreUnavailableError} when the database could not be reached, for as long as it was tried
 * @throws {DatabaseUnusableError} when it can be reached and cannot be worked with
 */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, log } = options;
  const clock = new SharedClock(options.clock ?? systemClock);
  using claims = new DisposableStack();
  const { tellKeys } = claims.use(claimDatabase(config.databaseUrl));
  const primary = new PrimaryRecord(nodesOf(config), (node, before) => {
    if (before === null) log.info({ event: "database_primary", node });
    else log.warn({ event: "database_primary", node, before });
  });
  const keys = await credentialKeys(config);
  tellKeys(keys.ids);
  const store = await openStorePatiently(options, keys, clock, primary);
  const replica = store.leases === null ? null : new Replica({
    leases: store.leases,
    clock,
    log,
    bounds: { ...REPLICA_BOUNDS, ...options.replica },
    patiently: (work) => patiently(work, options, clock),
  });
  const pool = new WorkerPool({
    size: config.socketWorkers,
    settings: { ...socketSettings(config), ...options.socketSettings },
    clock,
    log,
    ...(options.watch ? { watch: options.watch } : {}),
    ...(options.workerScript ? { script: options.workerScript } : {}),
  });
  const admission = new Admission({ ...LOGINS, clock, ...options.logins });
  const metrics = createMetrics();
  metrics.startedAt.set(clock.now() / 1_000);
  const metered = meterStore(store, metrics);
  const logins = new Logins();
  for (const outcome of UNLINK_OUTCOMES) metrics.loginUnlinks.inc({ outcome }, 0);
  const unlinker = new Unlinker({
    store: metered,
    sockets: pool,
    logins,
    clock,
    log,
    onOutcome: (outcome) => metrics.loginUnlinks.inc({ outcome }),
    ...(options.unlinker ? { bounds: options.unlinker } : {}),
  });
  const pairingSlots = new PairingSlots(config.maxPairings);
  const sessions = new SessionManager({
    store: metered,
    ...(replica ? { ownership: replica } : {}),
    sockets: pool,
    admission,
    logins,
    unlinker,
    pairingSlots,
    clock,
    policy: {
      ...DEFAULT_POLICY,
      qrLife: WHATSAPP_QR_LIFE,
      firstQrMs: config.qrWaitMs,
      ...options.policy,
    },
    log,
    qrWaitMs: config.qrWaitMs,
    ...(options.storeBounds?.patienceMs === undefined
      ? {}
      : { storePatienceMs: options.storeBounds.patienceMs }),
  });
  const requests = new RequestMeter(metrics);
  const meter = new SessionMeter(metrics, () => clock.steady());
  sessions.onChange(({ before, after }) => meter.observe(before, after));
  const claim = claims.move();
  let isStopping = false;
  const stop = async () => {
    isStopping = true;
    replica?.stop();
    admission.stop();
    await sessions.stop();
    await unlinker.stop();
    await pool.stop();
    await replica?.leave();
    await store.close();
    claim.dispose();
  };
  try {
    pool.start();
    if (replica === null) await sessions.start();
    else await replica.start(sessions, await patiently(() => unsettledOf(store, log), options, clock));
    unlinker.start();
  } catch (error) {
    await stop();
    throw error;
  }
  const app = createApp({
    sessions,
    operations: {
      readiness: () => readiness(store, replica, pool, isStopping),
      metrics: () =>
        readMetrics(metrics, {
          requests,
          countByStatus: () => store.countByStatus(),
          countLoggedOut: () => store.countLoggedOut(),
          sessions,
          admission,
          pairings: pairingSlots,
          countRetiredLogins: () => store.countRetiredLogins(),
          replica,
          database: primary,
          workers: pool,
          log: options.logOutput ?? { dropped: 0 },
          process: options.survivals ?? { survived: 0 },
        }),
    },
    hubKeys: config.hubKeys,
    internalKeys: config.internalKeys,
    rateLimits: config.rateLimits,
    log,
    meter: requests,
    ...(options.bodyMs === undefined ? {} : { bodyMs: options.bodyMs }),
  });
  requests.expect(app.routes);
  return { fetch: app.fetch, sessions, socketLoad: () => pool.load, stop };
}

async function unsettledOf(store: Store, log: Log): Promise<string[]> {
  return withoutForeign(await store.listUnsettled(), log).map(({ session }) => session.instanceId);
}

/**
 * Ready is who can reach and write the database, is present where there can be others, has a worker for the next
 * socket, and is not on its way out.
 */
async function readiness(
  store: Store,
  replica: Replica | null,
  pool: WorkerPool,
  isStopping: boolean,
): Promise<Readiness> {
  const isThere = await store.ping().then(() => true, () => false);
  const isPresent = replica?.isPresent ?? true;
  const database = isThere && isPresent ? "ok" : "failed";
  const workers = pool.isManned ? "ok" : "failed";
  const isReady = database === "ok" && workers === "ok";
  return { status: isStopping ? "stopping" : isReady ? "ready" : "not_ready", checks: { database, workers } };
}

/**
 * Carries out what a start needs of the database. It may be starting at the same time, or have much to do: it is waited
 * for, but not for ever.
 */
async function patiently<T>(
  work: () => Promise<T>,
  { log, storePausesMs = STORE_PAUSES_MS }: Pick<ServiceOptions, "log" | "storePausesMs">,
  clock: Clock,
): Promise<T> {
  for (const pauseMs of storePausesMs) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      log.warn({ event: "store_unavailable", retry_ms: pauseMs });
      await pause(clock, pauseMs);
    }
  }
  return await work();
}

async function openStorePatiently(
  options: ServiceOptions,
  keys: CredentialKeys,
  clock: Clock,
  primary: PrimaryRecord,
): Promise<Store> {
  const { config, log, storeBounds: bounds } = options;
  const open = () =>
    openStore({
      url: config.databaseUrl,
      keys,
      bounds,
      onPrimary: (node) => primary.note(nodeName(node)),
      onTopology: (fault) =>
        fault === null
          ? log.info({ event: "database_accepted" })
          : log.error({ event: "database_refused", reason: fault }),
      onAdopted: (settlement) => log.warn({ event: "table_adopted", ...settlement }),
    });
  return await patiently(open, options, clock);
}

/** The nodes of a database server, as the configuration names them; a file is its own. */
function nodesOf({ databaseUrl }: Config): string[] {
  const database = parseDatabaseUrl(databaseUrl);
  return database.dialect === "mysql" ? database.nodes.map(nodeName) : ["file"];
}

/** The configured keys; with SQLite, where none are configured, the key beside the database. */
async function credentialKeys({ credentialsKey, databaseUrl }: Config): Promise<CredentialKeys> {
  if (credentialsKey !== null) return parseCredentialKeys(credentialsKey);
  const database = parseDatabaseUrl(databaseUrl);
  return database.dialect === "sqlite" && database.path !== ":memory:"
    ? await loadOrCreateKeyFile(database.path)
    : parseCredentialKeys(generateCredentialKey());
}

function socketSettings(config: Config): SocketSettings {
  return {
    url: config.whatsappUrl,
    ...SOCKET_BOUNDS,
    ...(config.whatsappRootKey === null ? {} : { rootKey: config.whatsappRootKey }),
    ...(config.whatsappVersion === null ? {} : { version: config.whatsappVersion }),
  };
}
