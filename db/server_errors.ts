/**
 * Which errors of a MySQL or MariaDB server are about one statement and what it holds. All the others are about the
 * server, the account, the connection, or something between: they come and go, and no list of them is complete, since
 * routers, proxies and clusters have numbers of their own.
 * @module
 */

/** Classes of SQLSTATE that are about what a statement holds: cardinality, data, integrity, a trigger's own signal. */
const STATEMENT_CLASSES: ReadonlySet<string> = new Set(["21", "22", "23", "45"]);

/** The same by number, where the SQLSTATE says nothing (`HY000`), or something else. */
const STATEMENT_ERRORS: ReadonlySet<number> = new Set([
  1050, // a change of the schema that is there already, or cannot be
  1060,
  1061,
  1071,
  1091,
  1064, // it cannot be parsed
  1065, // it is empty
  1149, // a syntax error
  1118, // row too large
  1153, // packet too large
  1265, // data truncated
  1267, // illegal mix of collations
  1270,
  1271,
  1300, // invalid string in this character set
  1301, // result larger than a packet
  1364, // no value for a column without a default
  1366, // incorrect string value
  1305, // no such function
  1411, // incorrect value of a function's argument
  3140, // MySQL: invalid JSON
  3819, // MySQL: a check constraint is violated
  3988, // MySQL: a string cannot be converted
  4025, // MariaDB: a constraint failed
]);

/** The lowest number that a server gives to an error; below are the operating system's. */
const FIRST = 1_000;

/** Whether this number is a server's. Those from 2000 on are a client's: a router tells what its own client met. */
export function isServerError(errno: unknown): errno is number {
  return typeof errno === "number" && errno >= FIRST;
}

/** Whether the error would come again for this very statement, and for no other. */
export function isAboutStatement(errno: number, sqlState: unknown): boolean {
  return STATEMENT_ERRORS.has(errno) ||
    (typeof sqlState === "string" && STATEMENT_CLASSES.has(sqlState.slice(0, 2)));
}

/** What an account may not do is said of a statement: the connection is as good as before. */
const DENIED: ReadonlySet<unknown> = new Set([1142, 1143, 1227, 1370]);

/** Whether the account lacks a privilege for the statement. */
export function isDenied(error: unknown): boolean {
  return DENIED.has((error as { errno?: unknown } | null)?.errno);
}

/** The privilege that a server names when it denies a statement; null where it names none. */
export function deniedPrivilege(error: unknown): string | null {
  return /^([A-Z][A-Z ,]*?) command denied/.exec(String((error as Error | null)?.message))?.[1] ?? null;
}

/** Whether somebody else has locked the row, or the table: lock wait timeout, and MySQL's word for not waiting at all. */
export function isLockWait(error: unknown): boolean {
  const errno = (error as { errno?: unknown } | null)?.errno;
  return errno === 1205 || errno === 3572;
}

/** An error whose number this code has no word for: told by its number alone, for its text may quote the statement. */
export class ServerError extends Error {
  override readonly name = "ServerError";
  readonly errno: number;
  /** The driver's name for it, where it has one. */
  readonly code: unknown;
  /** As the server has it; null where that is none. */
  readonly sqlState: string | null;

  constructor(errno: number, sqlState: unknown, code: unknown) {
    const state = typeof sqlState === "string" && /^[0-9A-Z]{5}$/.test(sqlState) ? sqlState : null;
    super(`The server answered with error ${errno}${state === null ? "" : ` (${state})`}.`);
    this.sqlState = state;
    this.errno = errno;
    this.code = code;
  }
}
