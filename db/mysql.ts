/**
 * MySQL and MariaDB over `mysql2`: a pool in the shape Kysely's dialect asks for.
 * @module
 */
import { connect as connectSocket, type Socket } from "node:net";
import { createPool, type Pool, type PoolConnection, type PoolOptions } from "mysql2";
import { type Dialect, MysqlDialect } from "kysely";
import type { MysqlPool, MysqlPoolConnection, MysqlQueryResult, MysqlStream } from "kysely";
import type { MysqlTarget } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { judgeFault } from "./faults.ts";

const CONNECT_TIMEOUT_MS = 5_000;
/** After which a statement is given up and its connection with it: a silent server blocks nobody for ever. */
const STATEMENT_TIMEOUT_MS = 15_000;
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
 * told the connection itself (`init_connect`, `skip_character_set_client_handshake`).
 */
const SETUP: readonly string[] = [
  [
    "set session time_zone = '+00:00'",
    "names utf8mb4 collate utf8mb4_general_ci",
    "autocommit = 1",
    "innodb_lock_wait_timeout = 2",
    "sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
    "sql_select_limit = 18446744073709551615", // every row
    "completion_type = 'NO_CHAIN'", // what follows a commit is no transaction of its own
    "foreign_key_checks = 1",
    "unique_checks = 1",
  ].join(", "),
  // No gap locks: sessions that are written at the same time do not wait for their neighbours.
  "set session transaction isolation level read committed",
];

/**
 * A pool of connections, none of them open yet.
 * @param statementTimeoutMs after which an unanswered statement is given up
 * @throws {DatabaseUnusableError} when the file of authorities cannot be read, or holds none
 */
export function openMysql(target: MysqlTarget, statementTimeoutMs = STATEMENT_TIMEOUT_MS): Dialect {
  const sockets = new Set<Socket>();
  const options: PoolOptions = {
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password,
    database: target.database,
    connectionLimit: target.poolSize,
    maxIdle: target.poolSize,
    connectTimeout: CONNECT_TIMEOUT_MS,
    stream: () => openSocket(target, sockets),
    maxPreparedStatements: PREPARED_STATEMENTS,
    charset: "utf8mb4",
    timezone: "Z",
    dateStrings: true,
    // A server must not be able to ask this client for files.
    flags: ["-LOCAL_FILES"],
  };
  const ssl = tlsOptions(target);
  if (ssl !== undefined) options.ssl = ssl;
  return new MysqlDialect({ pool: new KyselyPool(createPool(options), sockets, statementTimeoutMs) });
}

/** The sockets are ours, so that a close can wait until each of them is gone. */
function openSocket(target: MysqlTarget, sockets: Set<Socket>): Socket {
  const socket = connectSocket(target.port, target.host);
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

/**
 * The pool, with two habits of its own: a new connection is set up before anybody gets it, and once one
 * connection has been lost, none that is as old is handed out any more. After a restart of the server that
 * one loss is all there is, and the store's second attempt goes over a new connection.
 */
class KyselyPool implements MysqlPool {
  readonly #pool: Pool;
  readonly #sockets: ReadonlySet<Socket>;
  readonly #statementTimeoutMs: number;
  readonly #known = new WeakMap<PoolConnection, KyselyConnection>();
  #generation = 0;

  constructor(pool: Pool, sockets: ReadonlySet<Socket>, statementTimeoutMs: number) {
    this.#pool = pool;
    this.#sockets = sockets;
    this.#statementTimeoutMs = statementTimeoutMs;
  }

  getConnection(callback: (error: unknown, connection: MysqlPoolConnection) => void): void {
    this.#acquire().then(
      (connection) => callback(null, connection),
      (error) => callback(error, undefined as unknown as MysqlPoolConnection),
    );
  }

  end(callback: (error: unknown) => void): void {
    this.#close().then(() => callback(null), callback);
  }

  async #acquire(): Promise<MysqlPoolConnection> {
    for (;;) {
      const raw = await this.#take();
      const known = this.#known.get(raw);
      if (known === undefined) return await this.#setUp(raw);
      if (known.generation === this.#generation) return known;
      raw.destroy();
    }
  }

  #take(): Promise<PoolConnection> {
    return new Promise((resolve, reject) =>
      this.#pool.getConnection((error, connection) => error ? reject(error) : resolve(connection))
    );
  }

  async #setUp(raw: PoolConnection): Promise<MysqlPoolConnection> {
    // The driver reports a dead connection once to the pool and then to whoever listens; nobody listening
    // would end the process.
    raw.on("error", () => {});
    const generation = this.#generation;
    const connection = new KyselyConnection(raw, this.#statementTimeoutMs, generation, () => {
      // The loss of a connection that was old already says nothing about the new ones.
      if (generation === this.#generation) this.#generation++;
    });
    this.#known.set(raw, connection);
    try {
      for (const statement of SETUP) await run(connection, statement);
      return connection;
    } catch (error) {
      raw.destroy();
      throw error;
    }
  }

  /** Says goodbye on every connection and waits for the last socket, but not for ever. */
  async #close(): Promise<void> {
    const goodbye = new Promise<void>((resolve) => this.#pool.end(() => resolve()));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const deadline = new Promise<void>((resolve) => timer = setTimeout(resolve, CLOSE_TIMEOUT_MS));
    await Promise.race([goodbye.then(() => Promise.all([...this.#sockets].map(closed))), deadline]);
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.closed ? resolve() : socket.once("close", () => resolve()));
}

function run(connection: KyselyConnection, statement: string): Promise<unknown> {
  return new Promise((resolve, reject) =>
    connection.query(statement, [], (error, result) => error ? reject(error) : resolve(result))
  );
}

class KyselyConnection implements MysqlPoolConnection {
  /** How many losses the pool had seen when this connection was made. */
  readonly generation: number;
  readonly #raw: PoolConnection;
  readonly #statementTimeoutMs: number;
  readonly #onLost: () => void;

  constructor(raw: PoolConnection, statementTimeoutMs: number, generation: number, onLost: () => void) {
    this.#raw = raw;
    this.#statementTimeoutMs = statementTimeoutMs;
    this.generation = generation;
    this.#onLost = onLost;
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
  }

  query(
    text: string,
    parameters: readonly unknown[],
    callback: (error: unknown, result: MysqlQueryResult) => void = () => {},
  ): { stream: () => MysqlStream } {
    let open = true;
    const done = (error: unknown, result: unknown) => {
      if (!open) return;
      open = false;
      clearTimeout(timer);
      if (error) this.#onError(error);
      // A connection on which a rollback fails is closed, and the server rolls back.
      if (error && text === "rollback") return callback(null, []);
      callback(error, result as MysqlQueryResult);
    };
    // Not the driver's own timeout: that one leaves out the preparing of a statement.
    const timer = setTimeout(
      () => done(silence(this.#statementTimeoutMs), undefined),
      this.#statementTimeoutMs,
    );
    const statement = { sql: text, values: [...parameters] };
    if (parameters.length === 0 || parameters.length > PREPARED_PARAMETERS) this.#raw.query(statement, done);
    else this.#raw.execute(statement as Parameters<PoolConnection["execute"]>[0], done);
    return { stream: refuseToStream };
  }

  #onError(error: unknown): void {
    switch (judgeFault(error)) {
      case "disconnected":
        this.#onLost();
        this.#raw.destroy();
        break;
      case "unavailable":
        // The answer may still come; nobody may take it for the answer to the next statement. A server
        // that has become read-only is left as well, for the one that takes over.
        this.#raw.destroy();
        break;
      case "contended":
      case "damaged":
      case "other":
        break;
    }
  }
}

function silence(milliseconds: number): Error {
  return Object.assign(new Error(`The server did not answer within ${milliseconds} ms.`), {
    code: "ETIMEDOUT",
  });
}

function refuseToStream(): never {
  throw new Error("The store never streams.");
}
