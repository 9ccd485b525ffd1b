/**
 * What a driver's error means to the store, and which errors are tried again.
 * @module
 */
import { StoreUnavailableError } from "../domain/ports.ts";
import { SilenceError } from "./breaker.ts";
import { DatabaseUnusableError } from "./errors.ts";

/** What an error calls for. */
export type Fault =
  /** Another transaction stood in the way; the whole operation may be repeated. */
  | "contended"
  /** The connection is gone, idle ones with it perhaps; once more, over a new one. */
  | "disconnected"
  /** The database cannot be reached or refuses for now. */
  | "unavailable"
  /** The file is no database any more. */
  | "damaged"
  /** A fault of ours. */
  | "other";

interface DriverError {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly errcode?: unknown;
  readonly fatal?: unknown;
  readonly message: string;
}

/** MySQL and MariaDB error numbers. */
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
  [1053, "unavailable"], // shutdown in progress
  [1114, "unavailable"], // table full
  [1129, "unavailable"], // host blocked after many errors
  [1158, "unavailable"], // network: read
  [1159, "unavailable"], // network: read timeout
  [1160, "unavailable"], // network: write
  [1161, "unavailable"], // network: write timeout
  [1203, "unavailable"], // too many connections of this user
  [1226, "unavailable"], // a limit of this user
  [1290, "unavailable"], // read-only: a failover in progress
  [1317, "unavailable"], // query interrupted
  [1461, "unavailable"], // too many prepared statements
  [1792, "unavailable"], // read-only transaction: a failover in progress
  [1836, "unavailable"], // read-only mode: a failover in progress
  [1969, "unavailable"], // MariaDB: statement took too long
  [3024, "unavailable"], // MySQL: statement took too long
  [3169, "disconnected"], // MySQL: session was killed
]);

/** Codes of the socket and of the driver. */
const NETWORK_FAULTS: ReadonlyMap<string, Fault> = new Map([
  ["PROTOCOL_CONNECTION_LOST", "disconnected"],
  ["ECONNRESET", "disconnected"],
  ["EPIPE", "disconnected"],
  ["ECONNABORTED", "disconnected"],
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
  const { code, errno, errcode, fatal, message }: DriverError = error;
  if (code === "ERR_SQLITE_ERROR") return judgeSqlite(errcode, message);
  const network = typeof code === "string" ? NETWORK_FAULTS.get(code) : undefined;
  if (network !== undefined) return network;
  const mysql = typeof errno === "number" ? MYSQL_FAULTS.get(errno) : undefined;
  if (mysql !== undefined) return mysql;
  // The driver gives no code for a statement on a connection whose end it has seen.
  return fatal === true && code === undefined ? "disconnected" : "other";
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
  let disconnected = false;
  for (let run = 1;; run++) {
    try {
      return await operation();
    } catch (error) {
      const fault = judgeFault(error);
      switch (fault) {
        case "contended":
          if (run >= CONTENDED_RUNS) throw new StoreUnavailableError(error);
          await pause(run);
          break;
        case "disconnected":
          if (disconnected) throw new StoreUnavailableError(error);
          disconnected = true;
          break;
        case "unavailable":
          throw new StoreUnavailableError(error, error instanceof SilenceError ? error.recovery : null);
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

/** Longer each time and never the same for two, so that those who met do not meet again. */
function pause(run: number): Promise<void> {
  const milliseconds = 10 * 2 ** run * (0.5 + Math.random());
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
