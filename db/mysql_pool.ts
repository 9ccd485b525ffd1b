/**
 * Connections to MySQL or MariaDB, handed out one at a time; in the shape Kysely's dialect asks for.
 * @module
 */
import type { MysqlPoolConnection } from "kysely";
import type { Pool, PoolConnection } from "mysql2";
import type { Socket } from "node:net";
import { AbandonedConnections } from "./abandoned_connections.ts";
import { Breaker } from "./breaker.ts";
import { type DatabaseNode, nodeName } from "./database_url.ts";
import { isOutage } from "./faults.ts";
import { KyselyConnection, socketOf } from "./mysql_connection.ts";
import { Nodes } from "./nodes.ts";
import { STORE_BOUNDS, type Terms, waitOn } from "./terms.ts";
import { SeveralWritersError, Topology, TOPOLOGY_QUESTION, type TopologyRow } from "./topology.ts";
import { Turns } from "./turns.ts";

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

/** What the pool works with. */
export interface PoolParts {
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
export class KyselyPool {
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
  endAbandoned(): void {
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
      onAbandoned: () => {
        this.#abandoned.add(raw.threadId, socketOf(raw).localPort);
        this.endAbandoned();
      },
    });
    this.#known.set(raw, connection);
    try {
      for (const statement of SETUP) await run(connection, statement);
      topology.learn(await askTopology(connection));
      fresh.delete(socketOf(raw));
      this.endAbandoned();
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

function run(connection: KyselyConnection, statement: string): Promise<unknown> {
  return new Promise((resolve, reject) =>
    connection.query(statement, [], (error, result) => error ? reject(error) : resolve(result))
  );
}

async function askTopology(connection: KyselyConnection): Promise<readonly TopologyRow[]> {
  return await run(connection, TOPOLOGY_QUESTION) as readonly TopologyRow[];
}
