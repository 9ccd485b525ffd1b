/**
 * What a driver's error means to the store, and which errors are tried again.
 * @module
 */
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import { SilenceError } from "./breaker.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { isAboutStatement, isLockWait, isServerError, ServerError } from "./server_errors.ts";

/** What an error calls for. */
export type Fault =
  /** Another transaction stood in the way; the whole operation may be repeated. */
  | "contended"
  /** The connection is gone, idle ones with it perhaps; once more, over a new one. */
  | "disconnected"
  /**
   * The database cannot be reached or refuses for now. So does a server that answers with an error that is not about
   * the statement, known to us or not: after a good start that is an outage, and over some day.
   */
  | "unavailable"
  /** The file is no database any more. */
  | "damaged"
  /** A fault of ours, or a value that the database does not take: it would be the same again. */
  | "other";

interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly errcode?: unknown;
  readonly fatal?: unknown;
  readonly sqlState?: unknown;
  readonly message: string;
}

/** MySQL and MariaDB error numbers; the text of what is listed here quotes no statement. */
const MYSQL_FAULTS: ReadonlyMap<number, Fault> = new Map([
  [1205, "contended"], // lock wait timeout
  [1213, "contended"], // deadlock
  [1020, "contended"], // MariaDB: record has changed since last read
  [1615, "contended"], // a prepared statement has to be prepared again
  [2006, "disconnected"], // server has gone away
  [2013, "disconnected"], // connection lost during query
  [4031, "disconnected"], // MySQL 8: disconnected because of inactivity
  [1927, "disconnected"], // MariaDB: connection was killed
  [1021, "unavailable"], // disk full
  [1040, "unavailable"], // too many connections
  [1041, "unavailable"], // out of memory
  [1044, "unavailable"], // no right to this database
  [1045, "unavailable"], // user or password refused
  [1047, "unavailable"], // Galera: not prepared, for want of a quorum
  [1049, "unavailable"], // no such database: a restore is under way
  [1053, "unavailable"], // shutdown in progress
  [1114, "unavailable"], // table full
  [1129, "unavailable"], // host blocked after many errors
  [1130, "unavailable"], // host not allowed
  [1142, "unavailable"], // no right to this table
  [1146, "unavailable"], // no such table: a restore is under way
  [1158, "unavailable"], // network: read
  [1159, "unavailable"], // network: read timeout
  [1160, "unavailable"], // network: write
  [1161, "unavailable"], // network: write timeout
  [1180, "unavailable"], // error during the commit
  [1203, "unavailable"], // too many connections of this user
  [1226, "unavailable"], // a limit of this user
  [1243, "disconnected"], // the prepared statement is unknown: a proxy has changed servers
  [1290, "unavailable"], // read-only: a failover in progress
  [1317, "unavailable"], // query interrupted
  [1461, "unavailable"], // too many prepared statements
  [1792, "unavailable"], // read-only transaction: a failover in progress
  [1836, "unavailable"], // read-only mode: a failover in progress
  [1969, "unavailable"], // MariaDB: statement took too long
  [2002, "unavailable"], // a router: no connection
  [2003, "unavailable"], // the same
  [3024, "unavailable"], // MySQL: statement took too long
  [3032, "unavailable"], // MySQL: offline mode, as after an expulsion from a group
  [3100, "unavailable"], // MySQL: a group does not take the commit
  [3101, "unavailable"], // MySQL: the same, and it was rolled back
  [3118, "unavailable"], // MySQL: account locked
  [3159, "unavailable"], // MySQL: only encrypted connections
  [3572, "contended"], // MySQL: the row is locked, and nobody wanted to wait
  [3169, "disconnected"], // MySQL: session was killed
  [4151, "unavailable"], // MariaDB: account locked
]);

/** Codes of the socket and of the driver. */
const NETWORK_FAULTS: ReadonlyMap<string, Fault> = new Map([
  ["PROTOCOL_CONNECTION_LOST", "disconnected"],
  ["ECONNRESET", "disconnected"],
  ["EPIPE", "disconnected"],
  ["ECONNABORTED", "disconnected"],
  ["NO_PRIMARY", "unavailable"], // `nodes.ts`: a failover in progress
  ["SEVERAL_WRITERS", "unavailable"], // `topology.ts`: a group that was switched
  ["ECONNREFUSED", "unavailable"],
  ["ETIMEDOUT", "unavailable"],
  ["PROTOCOL_SEQUENCE_TIMEOUT", "unavailable"],
  ["EHOSTUNREACH", "unavailable"],
  ["EHOSTDOWN", "unavailable"],
  ["ENETUNREACH", "unavailable"],
  ["ENETDOWN", "unavailable"],
  ["EADDRNOTAVAIL", "unavailable"],
  ["ENOTFOUND", "unavailable"],
  ["EAI_AGAIN", "unavailable"],
  ["EMFILE", "unavailable"],
  ["ENFILE", "unavailable"],
]);

/** SQLite's primary result codes. The texts are needed where the runtime gives no code. */
const SQLITE_FAULTS: readonly { code: number; text: string; fault: Fault }[] = [
  { code: 5, text: "database is locked", fault: "contended" },
  { code: 6, text: "database table is locked", fault: "contended" },
  { code: 7, text: "out of memory", fault: "unavailable" },
  { code: 8, text: "attempt to write a readonly database", fault: "unavailable" },
  { code: 10, text: "disk I/O error", fault: "unavailable" },
  { code: 11, text: "database disk image is malformed", fault: "damaged" },
  { code: 13, text: "database or disk is full", fault: "unavailable" },
  { code: 14, text: "unable to open database file", fault: "unavailable" },
  { code: 15, text: "locking protocol", fault: "contended" },
  { code: 26, text: "file is not a database", fault: "damaged" },
];

/** Judges what a driver threw. */
export function judgeFault(error: unknown): Fault {
  if (!(error instanceof Error)) return "other";
  const { code, errno, errcode, fatal, sqlState, message }: DriverError = error;
  if (code === "ERR_SQLITE_ERROR") return judgeSqlite(errcode, message);
  const network = typeof code === "string" ? NETWORK_FAULTS.get(code) : undefined;
  if (network !== undefined) return network;
  if (isServerError(errno)) {
    return MYSQL_FAULTS.get(errno) ?? (isAboutStatement(errno, sqlState) ? "other" : "unavailable");
  }
  if (fatal !== true) return "other";
  // The driver gives no code for a statement on a connection whose end it has seen; it gives one of its own where
  // the two do not understand each other, in TLS or in the protocol.
  return code === undefined ? "disconnected" : "unavailable";
}

/** Whether what answers does not speak as a server does: the driver gives it up with a word of its own. */
export function isMisunderstanding(error: unknown): boolean {
  const { code, errno, fatal }: Partial<DriverError> = error instanceof Error ? error : {};
  return fatal === true && typeof code === "string" && !NETWORK_FAULTS.has(code) && !isServerError(errno);
}

/** Whether the server's error with this number is known as one that passes. */
export function isKnownOutage(errno: unknown): boolean {
  return MYSQL_FAULTS.has(errno as number);
}

/** Whether this is a driver's word for a database that is away, and not for something that we did wrong. */
export function isOutage(error: unknown): boolean {
  const fault = judgeFault(error);
  return fault === "contended" || fault === "disconnected" || fault === "unavailable";
}

/** What may be told of the cause of an outage. */
function tellable(error: unknown): unknown {
  const { errno, sqlState, code }: Partial<DriverError> = error instanceof Error ? error : {};
  return isServerError(errno) && !MYSQL_FAULTS.has(errno) ? new ServerError(errno, sqlState, code) : error;
}

/** Why a database does not take what it is to write, although it answers. */
export type WriteRefusal = "full" | "damaged";

const MYSQL_FULL: ReadonlySet<unknown> = new Set([1021, 1114]);
/** I/O errors among them: a disk that is full to the last byte. */
const SQLITE_FULL: ReadonlySet<number> = new Set([8, 10, 13, 14]);

/** What an error of the store says of writing; null where it says nothing. */
export function judgeRefusal(error: unknown): WriteRefusal | null {
  if (error instanceof DatabaseUnusableError) return "damaged";
  const cause = error instanceof StoreUnavailableError ? error.cause : error;
  if (!(cause instanceof Error)) return null;
  const { code, errno, errcode }: DriverError = cause;
  const isFull = code === "ERR_SQLITE_ERROR"
    ? typeof errcode === "number" && SQLITE_FULL.has(errcode & 0xff)
    : MYSQL_FULL.has(errno);
  return isFull ? "full" : null;
}

function judgeSqlite(errcode: unknown, message: string): Fault {
  const found = SQLITE_FAULTS.find(({ code, text }) =>
    typeof errcode === "number" ? (errcode & 0xff) === code : message.startsWith(text)
  );
  return found?.fault ?? "other";
}

/** How often an operation that met another transaction is run, the first time included. */
const CONTENDED_RUNS = 5;
/** How long a lock is waited for in all, in milliseconds; by then whoever asked has waited enough. */
const LOCKED_MS = 3_000;

/**
 * Runs an operation of the store, again where that is right, and names what remains.
 *
 * Every operation of the store may be repeated as a whole: it writes whole rows, or erases them, and
 * nobody but the session's one supervisor writes in between; what moves a login tells by itself whether it
 * was moved already (`login_changes.ts`). So a statement whose fate is unknown because its connection died is
 * simply run once more.
 *
 * @throws {StoreUnavailableError} when trying again later makes sense
 * @throws {DatabaseUnusableError} when the file is damaged
 */
export async function runGuarded<T>(operation: () => Promise<T>): Promise<T> {
  const since = performance.now();
  let disconnected = false;
  for (let run = 1;; run++) {
    const begun = performance.now();
    try {
      return await operation();
    } catch (error) {
      const fault = judgeFault(error);
      switch (fault) {
        case "contended":
          if (isLockWait(error) ? isEnough(since, begun) : run >= CONTENDED_RUNS) {
            throw new StoreUnavailableError(error);
          }
          await pause(run);
          break;
        case "disconnected":
          if (disconnected) throw new StoreUnavailableError(error);
          disconnected = true;
          break;
        case "unavailable":
          throw new StoreUnavailableError(
            tellable(error),
            error instanceof SilenceError ? error.recovery : null,
          );
        case "damaged":
          throw new DatabaseUnusableError("The database file is damaged or is not a SQLite database.", {
            cause: error,
          });
        case "other":
          throw error;
        default:
          return fault satisfies never;
      }
    }
  }
}

/** Whether one more run, as long as the last one, would end too late. */
function isEnough(since: number, begun: number): boolean {
  const now = performance.now();
  return now - since + (now - begun) > LOCKED_MS;
}

/** Longer each time and never the same for two, so that those who met do not meet again. */
function pause(run: number): Promise<void> {
  const milliseconds = 10 * 2 ** Math.min(run, 5) * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
