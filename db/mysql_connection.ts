/**
 * One connection to MySQL or MariaDB, in the shape Kysely's dialect asks for.
 * @module
 */
import type { Socket } from "node:net";
import type { PoolConnection } from "mysql2";
import type { MysqlPoolConnection, MysqlQueryResult, MysqlStream } from "kysely";
import { SilenceError } from "./breaker.ts";
import { judgeFault } from "./faults.ts";
import { isDenied } from "./server_errors.ts";
import { type Terms, UnansweredError, waitOn } from "./terms.ts";
import type { Turn } from "./turns.ts";

/**
 * Up to so many parameters a statement is prepared on the server and stays prepared. A longer one comes in
 * as many lengths as there are numbers of rows, and preparing it would cost a round trip of its own: it
 * is sent as text, escaped by the driver. The pool sets the `sql_mode` which that escaping relies on.
 */
const PREPARED_PARAMETERS = 64;

/** The socket of a connection, which `mysql.ts` has opened. */
export function socketOf(raw: PoolConnection): Socket {
  return (raw as unknown as { readonly stream: Socket }).stream;
}

/** What a connection tells its pool. */
export interface ConnectionEvents {
  /** Something has come back from the server. */
  readonly onHeard: () => void;
  /** The connection is of no use any more. */
  readonly onLost: () => void;
  /** The server refuses what others of its cluster may take. */
  readonly onRefused: () => void;
  /** It is about to be closed here while the server may still be busy with it. */
  readonly onAbandoned: () => void;
}

/** A connection as Kysely's dialect uses it: what it waits for, and what becomes of it when that does not come. */
export class KyselyConnection implements MysqlPoolConnection {
  /** How many losses the pool had seen when this connection was made. */
  readonly generation: number;
  readonly #raw: PoolConnection;
  readonly #events: ConnectionEvents;
  /** Those of its present holder. */
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
    this.#events.onAbandoned();
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
