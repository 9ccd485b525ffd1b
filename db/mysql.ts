/**
 * MySQL and MariaDB over `mysql2`: a pool in the shape Kysely's dialect asks for.
 * @module
 */
import { connect as connectSocket, type Socket } from "node:net";
import { type ConnectionOptions, createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import { type Dialect, MysqlDialect } from "kysely";
import type { MysqlPool, MysqlPoolConnection, MysqlQueryResult, MysqlStream } from "kysely";
import { Breaker, SilenceError } from "./breaker.ts";
import { type DatabaseNode, type MysqlTarget, nodeName } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { isOutage, judgeFault } from "./faults.ts";
import { AbandonedConnections } from "./abandoned_connections.ts";
import { isDenied } from "./server_errors.ts";
import { probeMysql } from "./mysql_probe.ts";
import { askRole } from "./mysql_role.ts";
import { type NodeRole, Nodes, type NodesOptions } from "./nodes.ts";
import { STORE_BOUNDS, type StoreBounds, type Terms, UnansweredError, waitOn } from "./terms.ts";
import { SeveralWritersError, Topology, TOPOLOGY_QUESTION, type TopologyRow } from "./topology.ts";
import { type Turn, Turns } from "./turns.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a close waits for the connections to say goodbye. */
const CLOSE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/**
 * Up to so many parameters a statement is prepared on the server and stays prepared. A longer one comes in
 * as many lengths as there are numbers of rows, and preparing it would cost a round trip of its own: it
 * is sent as text, escaped by the driver. {@link SETUP} sets the `sql_mode` which that escaping relies on.
 */
const PREPARED_PARAMETERS = 64;
const PREPARED_STATEMENTS = 256;

/**
 * What every connection is told before its first statement, whatever the server's defaults are, and whatever it has
 * told the connection itself (`init_connect`, `skip_character_set_client_handshake`). A table whose definition is about to
 * change is waited for no longer than a locked row, where it would be a year. What a comment with a version holds is read
 * by MySQL alone: that a new primary first applies what the last one has committed.
 */
const SETUP: readonly string[] = [
  [
    "set session time_zone = '+00:00'",
    "names utf8mb4 collate utf8mb4_general_ci",
    "autocommit = 1",
    "innodb_lock_wait_timeout = 2",
    "lock_wait_timeout = 2",
    "/*!80014 group_replication_consistency = 'BEFORE_ON_PRIMARY_FAILOVER', */ sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "sql_select_limit = 18446744073709551615", // every row
    "completion_type = 'NO_CHAIN'", // what follows a commit is no transaction of its own
    "foreign_key_checks = 1",
    "unique_checks = 1",
  ].join(", "),
  // No gap locks: sessions that are written at the same time do not wait for their neighbours.
  "set session transaction isolation level read committed",
];

/** One server, on several terms. */
export interface Mysql {
  /** Every statement is given its time, whatever the others say. */
  readonly patient: Dialect;
  /** The same, but for what is known not to be answered. */
  readonly writes: Dialect;
  /** For what somebody waits for. */
  readonly calls: Dialect;
  /** For leases, and for what replicas ask of each other: over connections of their own. */
  readonly control: Dialect;
  /** For the presence of this replica: over a connection of its own. */
  readonly presence: Dialect;
}

/** Connections beside those of the pool. */
const CONTROL_CONNECTIONS = 2;
const PRESENCE_CONNECTIONS = 1;

/** Who is told what is found out about the database. */
export interface MysqlListeners {
  /** Told of the node that takes writes, where there are several. */
  readonly onPrimary?: NodesOptions["onPrimary"];
  /** Told why a database cannot be worked with that could before, in a sentence; null once it can again. */
  readonly onTopology?: (fault: string | null) => void;
}

/**
 * Pools of connections, none of them open yet. They are closed with the dialect that is `patient`.
 * @throws {DatabaseUnusableError} when the file of authorities cannot be read, or holds none
 */
export function openMysql(
  target: MysqlTarget,
  bounds: StoreBounds = STORE_BOUNDS,
  { onPrimary, onTopology }: MysqlListeners = {},
): Mysql {
  const sockets = new Set<Socket>();
  const optionsFor = connectionOptions(target);
  const nodes = new Nodes({
    nodes: target.nodes,
    ask: (node) => askRole(optionsFor(node), () => openSocket(node, sockets)),
    onPrimary: (node, before) => {
      if (before !== null) pools.forEach((pool) => pool.leave(before));
      onPrimary?.(node, before);
    },
  });
  const topology = new Topology(onTopology);
  const breaker = new Breaker({
    probe: async (signal) => {
      const node = nodes.known;
      if (node === null) await nodes.primary();
      else await probeMysql(optionsFor(node), () => openSocket(node, sockets), signal);
    },
    onOpen: () => {
      const silent = nodes.known;
      if (silent !== null) nodes.lost(silent);
      pools.forEach((pool) => pool.distrust());
    },
    onClose: () => pools.forEach((pool) => pool.endForsaken()),
    bounds: bounds.breaker,
  });
  const open = (places: number, isWatching = false) => {
    /** Connections that nobody has been given yet. */
    const fresh = new Set<Socket>();
    const optionsOf = (node: DatabaseNode): PoolOptions => ({
      ...optionsFor(node),
      connectionLimit: places,
      maxIdle: places,
      connectTimeout: CONNECT_TIMEOUT_MS,
      stream: () => {
        const socket = openSocket(node, sockets);
        fresh.add(socket);
        socket.once("close", () => fresh.delete(socket));
        return socket;
      },
      maxPreparedStatements: PREPARED_STATEMENTS,
    });
    const openNode = (node: DatabaseNode) => createPool(optionsOf(node));
    return new KyselyPool({ open: openNode, nodes, topology, isWatching, fresh, breaker, places });
  };
  const pools = [
    open(target.poolSize),
    open(CONTROL_CONNECTIONS, true), // these are used every second, whatever happens
    open(PRESENCE_CONNECTIONS, true),
  ] as const;
  const [data, control, presence] = pools;
  const closeAll: MysqlPool["end"] = (callback) => {
    breaker.end();
    const goodbye = Promise.all(pools.map((pool) => pool.sayGoodbye()));
    hangUp(sockets, goodbye).then(() => callback(null), callback);
  };
  const leaveOpen: MysqlPool["end"] = (callback) => callback(null);
  const dialect = (pool: KyselyPool, boundMs: number, isGuarded = true, end = leaveOpen) => {
    const terms: Terms = { boundMs, breaker: isGuarded ? breaker : null };
    return new MysqlDialect({
      pool: { getConnection: (callback) => pool.getConnection(terms, callback), end },
    });
  };
  return {
    patient: dialect(data, bounds.statementMs, false, closeAll),
    writes: dialect(data, bounds.statementMs),
    calls: dialect(data, bounds.callMs),
    control: dialect(control, bounds.controlMs),
    presence: dialect(presence, bounds.controlMs),
  };
}

/** How a connection to each of the nodes is made. */
function connectionOptions(target: MysqlTarget): (node: DatabaseNode) => ConnectionOptions {
  const ssl = tlsOptions(target);
  return ({ host, port }: DatabaseNode): ConnectionOptions => ({
    host,
    port,
    user: target.user,
    password: target.password,
    database: target.database,
    charset: "utf8mb4",
    timezone: "Z",
    dateStrings: true,
    // A server must not be able to ask this client for files.
    flags: ["-LOCAL_FILES"],
    ...(ssl === undefined ? {} : { ssl }),
  });
}

/** What each node says of itself, in their order; what was thrown where one cannot be asked. */
export async function askNodes(target: MysqlTarget): Promise<(NodeRole | Error)[]> {
  const optionsFor = connectionOptions(target);
  const sockets = new Set<Socket>();
  return await Promise.all(
    target.nodes.map((node) =>
      askRole(optionsFor(node), () => openSocket(node, sockets)).catch((error: Error) => error)
    ),
  );
}

/** Waits until every connection has said goodbye and the last socket is gone, but not for ever. */
async function hangUp(sockets: ReadonlySet<Socket>, goodbye: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT_MS));
  await Promise.race([goodbye.then(() => Promise.all([...sockets].map(closed))), deadline]);
  clearTimeout(timer);
  for (const socket of sockets) socket.destroy();
}

/** The sockets are ours, so that a close can wait until each of them is gone. */
function openSocket({ host, port }: DatabaseNode, sockets: Set<Socket>): Socket {
  const socket = connectSocket(port, host);
  socket.setNoDelay(true);
  socket.once("connect", () => socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS));
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  return socket;
}

function tlsOptions(target: MysqlTarget): { [option: string]: unknown } | undefined {
  switch (target.tls) {
    case "none":
      return undefined;
    case "unverified":
      return { rejectUnauthorized: false };
    case "verified":
    case "authority": {
      const { tls, tlsAuthorities } = target;
      const ca = tlsAuthorities === null ? {} : { ca: readAuthorities(tlsAuthorities) };
      return { rejectUnauthorized: true, verifyIdentity: tls === "verified", ...ca };
    }
    default:
      return target.tls satisfies never;
  }
}

function readAuthorities(path: string): string {
  let authorities: string;
  try {
    authorities = Deno.readTextFileSync(path);
  } catch (error) {
    throw new DatabaseUnusableError("The file that ssl-ca in DATABASE_URL names cannot be read.", {
      cause: error,
    });
  }
  // With none in it the runtime would trust the usual ones.
  if (!/^-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----/m.test(authorities)) {
    throw new DatabaseUnusableError(
      "The file that ssl-ca in DATABASE_URL names holds no certificate in PEM.",
    );
  }
  return authorities;
}

/** What the pool works with. */
interface PoolParts {
  /** Makes a pool of connections to a node, none of them open yet. */
  readonly open: (node: DatabaseNode) => Pool;
  readonly nodes: Nodes;
  readonly topology: Topology;
  /** Whether it asks the server again and again whether it is the only one that takes writes. */
  readonly isWatching: boolean;
  /** Those that nobody has been given yet. */
  readonly fresh: Set<Socket>;
  readonly breaker: Breaker;
  /** Connections at most. */
  readonly places: number;
}

/**
 * The pool, with three habits of its own: a new connection is set up before anybody gets it; once one connection has
 * been lost, or has fallen silent, none that is as old is handed out any more, so that after a restart of the server that
 * one loss is all there is, and the store's second attempt goes over a new connection; and who waits for a connection
 * may be told at any time not to.
 */
class KyselyPool {
  /** By node; one at a time, but for what is on its way to the last one. */
  readonly #pools = new Map<string, Pool>();
  readonly #parts: PoolParts;
  readonly #turns: Turns;
  readonly #known = new WeakMap<PoolConnection, KyselyConnection>();
  readonly #abandoned = new AbandonedConnections();
  #generation = 0;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.#turns = new Turns(parts.places);
  }

  getConnection(
    terms: Terms,
    callback: (error: unknown, connection: MysqlPoolConnection) => void,
  ): void {
    const none = undefined as unknown as MysqlPoolConnection;
    try {
      terms.breaker?.admit();
      const { topology, isWatching } = this.#parts;
      if (!isWatching || !topology.isStale) topology.assertOneWriter();
    } catch (error) {
      return callback(error, none);
    }
    const turn = this.#turns.ask();
    const end = waitOn(terms, (error) => {
      turn.leave();
      callback(error, none);
    });
    turn.come.then(() => this.#acquire(terms)).then(
      (connection) => {
        connection.lend(terms, turn);
        if (end()) callback(null, connection);
        else connection.release();
      },
      (error) => {
        turn.end();
        if (end()) callback(error, none);
      },
    );
  }

  /** Ends every connection as the protocol wants it. */
  async sayGoodbye(): Promise<void> {
    await Promise.all([...this.#pools.values()].map(endPool));
  }

  /** This node takes no writes any more: its connections are ended, and none of them is handed out again. */
  leave(node: DatabaseNode): void {
    const name = nodeName(node);
    const pool = this.#pools.get(name);
    if (pool === undefined) return;
    this.#pools.delete(name);
    this.#generation++;
    void endPool(pool);
  }

  /** The server does not answer: what is being connected is given up, and what is connected is not used again. */
  distrust(): void {
    this.#generation++;
    for (const socket of this.#parts.fresh) socket.destroy();
  }

  /** Ends at the server what was given up here; as soon as it answers, where it does not. */
  endForsaken(): void {
    const { breaker } = this.#parts;
    if (this.#abandoned.size === 0 || breaker.isOpen) return;
    const terms: Terms = { boundMs: STORE_BOUNDS.callMs, breaker };
    void this.#abandoned.end((text, parameters) =>
      new Promise((resolve, reject) =>
        this.getConnection(terms, (error, connection) => {
          if (error) return reject(error);
          connection.query(text, parameters, (error, result) => {
            connection.release();
            if (error) reject(error);
            else resolve(result);
          });
        })
      )
    );
  }

  async #acquire(terms: Terms): Promise<KyselyConnection> {
    for (;;) {
      const node = await this.#parts.nodes.primary();
      const raw = await this.#take(node);
      const known = this.#known.get(raw);
      if (known === undefined) return await this.#setUp(raw, node, terms);
      if (known.generation === this.#generation) return await this.#look(known);
      raw.destroy();
    }
  }

  /** Asks again, where that is this pool's to do, whether there is one writer. */
  async #look(connection: KyselyConnection): Promise<KyselyConnection> {
    const { topology, isWatching } = this.#parts;
    try {
      if (isWatching && topology.isStale) topology.learn(await askTopology(connection));
      else topology.assertOneWriter();
      return connection;
    } catch (error) {
      if (error instanceof SeveralWritersError) connection.release();
      else connection.destroy();
      throw error;
    }
  }

  #take(node: DatabaseNode): Promise<PoolConnection> {
    const { nodes, open } = this.#parts;
    const name = nodeName(node);
    const pool = this.#pools.get(name) ?? open(node);
    this.#pools.set(name, pool);
    return new Promise((resolve, reject) =>
      pool.getConnection((error, connection) => {
        if (!error) return resolve(connection);
        if (isOutage(error)) nodes.lost(node);
        reject(error);
      })
    );
  }

  async #setUp(raw: PoolConnection, node: DatabaseNode, terms: Terms): Promise<KyselyConnection> {
    const { breaker, fresh, nodes, topology } = this.#parts;
    // The driver reports a dead connection once to the pool and then to whoever listens; nobody listening
    // would end the process.
    raw.on("error", () => {});
    const generation = this.#generation;
    const connection = new KyselyConnection(raw, terms, generation, {
      onHeard: () => breaker.heard(),
      onLost: () => {
        // The loss of a connection that was old already says nothing about the new ones.
        if (generation !== this.#generation) return;
        this.#generation++;
        nodes.lost(node);
      },
      onRefused: () => nodes.lost(node),
      onForsaken: () => {
        this.#abandoned.add(raw.threadId, socketOf(raw).localPort);
        this.endForsaken();
      },
    });
    this.#known.set(raw, connection);
    try {
      for (const statement of SETUP) await run(connection, statement);
      topology.learn(await askTopology(connection));
      fresh.delete(socketOf(raw));
      this.endForsaken();
      return connection;
    } catch (error) {
      raw.destroy();
      throw error;
    }
  }
}

function endPool(pool: Pool): Promise<void> {
  return new Promise((resolve) => pool.end(() => resolve()));
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()));
}

function run(connection: KyselyConnection, statement: string): Promise<unknown> {
  return new Promise((resolve, reject) =>
    connection.query(statement, [], (error, result) => error ? reject(error) : resolve(result))
  );
}

async function askTopology(connection: KyselyConnection): Promise<readonly TopologyRow[]> {
  return await run(connection, TOPOLOGY_QUESTION) as readonly TopologyRow[];
}

/** The socket of a connection; one of ours, see {@link openSocket}. */
function socketOf(raw: PoolConnection): Socket {
  return (raw as unknown as { readonly stream: Socket }).stream;
}

/** What a connection tells its pool. */
interface ConnectionEvents {
  /** Something has come back from the server. */
  readonly onHeard: () => void;
  /** The connection is of no use any more. */
  readonly onLost: () => void;
  /** The server refuses what others of its cluster may take. */
  readonly onRefused: () => void;
  /** It is about to be closed here while the server may still be busy with it. */
  readonly onForsaken: () => void;
}

class KyselyConnection implements MysqlPoolConnection {
  /** How many losses the pool had seen when this connection was made. */
  readonly generation: number;
  readonly #raw: PoolConnection;
  readonly #events: ConnectionEvents;
  /** Those of whoever has it. */
  #terms: Terms;
  #turn: Turn | null = null;

  constructor(raw: PoolConnection, terms: Terms, generation: number, events: ConnectionEvents) {
    this.#raw = raw;
    this.#terms = terms;
    this.generation = generation;
    this.#events = events;
  }

  /** Somebody has it from now on, for a turn. */
  lend(terms: Terms, turn: Turn): void {
    this.#terms = terms;
    this.#turn = turn;
  }

  get config(): object {
    return this.#raw.config;
  }

  get threadId(): number {
    return this.#raw.threadId;
  }

  connect(callback?: (error: unknown) => void): void {
    this.#raw.connect(callback);
  }

  destroy(): void {
    this.#raw.destroy();
  }

  release(): void {
    this.#raw.release();
    this.#turn?.end();
    this.#turn = null;
  }

  query(
    text: string,
    parameters: readonly unknown[],
    callback: (error: unknown, result: MysqlQueryResult) => void = () => {},
  ): { stream: () => MysqlStream } {
    // A connection on which a rollback fails is closed, and the server rolls back.
    const fail = (error: unknown) => callback(text === "rollback" ? null : error, []);
    // Not the driver's own timeout: that one leaves out the preparing of a statement.
    const end = waitOn(this.#terms, (error) => {
      this.#abandon();
      fail(error instanceof SilenceError ? error : new UnansweredError(error.message));
    });
    const done = (error: unknown, result: unknown) => {
      if (!end()) return;
      this.#events.onHeard();
      if (!error) return callback(null, result as MysqlQueryResult);
      this.#onError(error);
      fail(error);
    };
    const statement = { sql: text, values: [...parameters] };
    if (parameters.length === 0 || parameters.length > PREPARED_PARAMETERS) this.#raw.query(statement, done);
    else this.#raw.execute(statement as Parameters<PoolConnection["execute"]>[0], done);
    return { stream: refuseToStream };
  }

  /**
   * The answer may still come; nobody may take it for the answer to the next statement. The driver alone would wait for
   * the server to close the connection, which it may never do.
   */
  #abandon(): void {
    this.#events.onLost();
    this.#events.onForsaken();
    this.#raw.destroy();
    socketOf(this.#raw).destroy();
  }

  #onError(error: unknown): void {
    switch (judgeFault(error)) {
      case "disconnected":
        this.#events.onLost();
        this.#raw.destroy();
        break;
      case "unavailable":
        // A server that has become read-only is left, for the one that takes over.
        if (isDenied(error)) break;
        this.#events.onRefused();
        this.#raw.destroy();
        break;
      case "contended":
      case "damaged":
      case "other":
        break;
    }
  }
}

function refuseToStream(): never {
  throw new Error("The store never streams.");
}
