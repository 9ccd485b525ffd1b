/**
 * MySQL and MariaDB over `mysql2`: a pool in the shape Kysely's dialect asks for.
 * @module
 */
import { type Dialect, MysqlDialect, type MysqlPool } from "kysely";
import { type ConnectionOptions, createPool, type PoolOptions } from "mysql2";
import { connect as connectSocket, type Socket } from "node:net";
import { Breaker } from "./breaker.ts";
import type { DatabaseNode, MysqlTarget } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { KyselyPool } from "./mysql_pool.ts";
import { probeMysql } from "./mysql_probe.ts";
import { askRole } from "./mysql_role.ts";
import { type NodeRole, Nodes, type NodesOptions } from "./nodes.ts";
import { STORE_BOUNDS, type StoreBounds, type Terms } from "./terms.ts";
import { Topology } from "./topology.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a close waits for the connections to say goodbye. */
const CLOSE_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_DELAY_MS = 10_000;

/** Statements that stay prepared on one connection, at most. */
const PREPARED_STATEMENTS = 256;

/** One server, on several terms. */
export interface Mysql {
  /** Every statement is given its time, whatever the others say. */
  readonly patient: Dialect;
  /** The same, but for what is known not to be answered. */
  readonly writes: Dialect;
  /** For statements that a call waits for. */
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
    onClose: () => pools.forEach((pool) => pool.endAbandoned()),
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

/** Waits until every connection has said goodbye and the last socket is gone, but not without end. */
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

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()));
}
