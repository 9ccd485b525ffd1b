/**
 * What a database's error means to an operator, at the start of the service and of a tool: one sentence, and whether
 * trying again makes sense. None of them repeats what the server wrote, which can quote names, hosts and statements.
 *
 * | error | sentence | tried again |
 * | --- | --- | --- |
 * | the login is refused, the account is locked or expired, TLS does not come about | what to change | no |
 * | a privilege is missing, the log of statements refuses the isolation level | what to change | no |
 * | no connection is left, read-only, offline, out of room | that it is so | yes |
 * | any other of a server's, or SQLite's | its number | as its SQLSTATE says; otherwise no |
 * @module
 */
import { StoreUnavailableError } from "../sessions/ports/store.ts";
import type { MysqlTarget } from "./database_url.ts";
import { DatabaseUnusableError } from "./errors.ts";
import { isKnownOutage, isMisunderstanding } from "./faults.ts";
import { deniedPrivilege, isDenied } from "./server_errors.ts";
import { SeveralWritersError } from "./topology.ts";

/** An error as the drivers make them: a server's has an SQLSTATE, if an empty one before the greeting. */
interface DriverError extends Error {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly errcode?: unknown;
  readonly sqlState?: unknown;
}

const LOGIN = "The database refuses the user or the password in DATABASE_URL.";
const LOGIN_WITHOUT_TLS =
  "The database refuses the user or the password in DATABASE_URL, or lets this account in " +
  "over TLS alone (ssl).";
const HOST = "The database does not accept connections from this host.";
const NO_SERVER = "What answers at the address in DATABASE_URL is no MySQL or MariaDB server.";
const TOO_OFTEN =
  "The account in DATABASE_URL is locked after too many wrong passwords; unlock it on the server.";
const LOCKED = "The account in DATABASE_URL is locked; unlock it on the server.";
const EXPIRED = "The password in DATABASE_URL has expired; give the account a new one.";
const PLUGIN =
  "The account in DATABASE_URL has to log in in a way that this service or the server does not know; " +
  "give it caching_sha2_password, or on MariaDB mysql_native_password.";

/** What a server says to an address, an account or a set-up that can never work. */
const REFUSALS: ReadonlyMap<unknown, string> = new Map([
  [1044, "The user in DATABASE_URL may not use the database that it names."],
  [1045, LOGIN],
  [1698, LOGIN],
  [1049, "The database that DATABASE_URL names does not exist on that server."],
  [1130, HOST],
  [1251, PLUGIN], // the client does not support the authentication
  [1524, PLUGIN], // a plugin that is not loaded, as mysql_native_password on MySQL 9
  [
    1665,
    "The server logs statements (binlog_format is STATEMENT), which READ COMMITTED does not allow; set it to ROW.",
  ],
  [1820, EXPIRED], // has to be changed before anything else
  [1862, EXPIRED],
  [3118, LOCKED],
  [4151, LOCKED], // MariaDB
  [3159, "The server takes connections over TLS alone; set ssl in DATABASE_URL."],
  [4150, TOO_OFTEN], // MariaDB
  [3955, TOO_OFTEN],
]);

/** What the driver says. */
const DRIVER_REFUSALS: ReadonlyMap<unknown, string> = new Map([
  ["HANDSHAKE_NO_SSL_SUPPORT", "The database does not offer the TLS that DATABASE_URL asks for."],
  ["AUTH_SWITCH_PLUGIN_ERROR", PLUGIN],
  ["MYSQL_CLEAR_PASSWORD_NOT_ENABLED", PLUGIN],
  ["HANDSHAKE_UNKNOWN_ERROR", NO_SERVER],
]);

/** What the runtime says of a certificate: it has texts and no codes that reach us. */
const CERTIFICATE_REFUSALS: readonly (readonly [text: RegExp, sentence: string])[] = [
  [
    /does not match certificate/i,
    "The TLS certificate of the database is for another name than the host in DATABASE_URL; name the host as the " +
    "certificate does, or check its authority alone with ssl=verify-ca and ssl-ca.",
  ],
  [/expired|not yet valid/i, "The TLS certificate of the database is not valid at this time."],
  [
    /self-signed|unable to (get|verify)|unknown (ca|issuer)/i,
    "The TLS certificate of the database is from an authority that is not trusted; name its file in ssl-ca of " +
    "DATABASE_URL.",
  ],
];
const CERTIFICATE = "The TLS certificate of the database is not accepted; see ssl in DATABASE_URL.";

/** Why a server that answers cannot be used for now. */
const UNAVAILABLE: ReadonlyMap<unknown, string> = new Map([
  [1021, "its disk is full"],
  [1040, "it takes no more connections"],
  [1041, "it is out of memory"],
  [1053, "it is shutting down"],
  [1114, "it is out of room"],
  [1129, "it has blocked this host after many errors"],
  [1203, "it takes no more connections of this user"],
  [1226, "a limit of this user is reached"],
  [1461, "it takes no more prepared statements"],
  [1792, "it is read-only"],
  [1836, "it is read-only"],
  [3032, "it is offline (offline_mode)"],
]);

/** SQLSTATE classes of a connection that failed and of a transaction that may be tried again. */
const TRANSIENT = /^(08|40)/;

/**
 * The error to throw instead of one that a database has caused at the start; any other error is given back as it is.
 * @returns {DatabaseUnusableError} with one sentence, or {StoreUnavailableError}, where a database is to blame
 */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DatabaseUnusableError) return error;
  // What is an outage once the service has started may be for ever before it has.
  const isOutage = error instanceof StoreUnavailableError;
  const cause = isOutage ? error.cause : error;
  if (!(cause instanceof Error)) return error;
  const { code, errno, errcode, sqlState, message }: DriverError = cause;
  const unusable = (sentence: string) => new DatabaseUnusableError(sentence, { cause });
  if (code === "ERR_SQLITE_ERROR") {
    if (isOutage) return error;
    return unusable(`SQLite refuses what the service asks of the database file: error ${Number(errcode)}.`);
  }
  if (cause instanceof SeveralWritersError) return unusable(cause.message);
  if (code === "HANDSHAKE_SSL_ERROR") {
    return unusable(CERTIFICATE_REFUSALS.find(([text]) => text.test(message))?.[1] ?? CERTIFICATE);
  }
  const byDriver = DRIVER_REFUSALS.get(code);
  if (byDriver !== undefined) return unusable(byDriver);
  if (typeof sqlState !== "string") return error;
  const known = REFUSALS.get(errno);
  if (known !== undefined) return unusable(known);
  if (isDenied(cause)) {
    const privilege = deniedPrivilege(cause) ?? "a privilege that it needs";
    return unusable(
      `The user in DATABASE_URL lacks ${privilege} on the database; \`deno task doctor\` tells all it needs.`,
    );
  }
  if (isKnownOutage(errno) || TRANSIENT.test(sqlState)) {
    return isOutage ? error : new StoreUnavailableError(cause);
  }
  return unusable(`The database refuses what the service asks of it: ${numberOf(cause)}.`);
}

/**
 * The same for the first question to a server, where nothing but the driver can have failed: it stumbles over what it
 * does not expect, such as the X protocol on port 33060.
 */
export function asGreetingRefusal(error: unknown, { tls }: Pick<MysqlTarget, "tls">): unknown {
  const refusal = asRefusal(error);
  // Who wants TLS says no more than that: an account with `REQUIRE SSL`, and one whose password cannot be sealed.
  if (refusal instanceof DatabaseUnusableError && refusal.message === LOGIN && tls === "none") {
    return new DatabaseUnusableError(LOGIN_WITHOUT_TLS, { cause: error });
  }
  const isAway = refusal instanceof StoreUnavailableError && !isMisunderstanding(refusal.cause);
  return refusal instanceof DatabaseUnusableError || isAway
    ? refusal
    : new DatabaseUnusableError(NO_SERVER, { cause: error });
}

/** Runs a start, whose errors of a database's are then one sentence each. @throws as {@link asRefusal} gives them */
export async function refusing<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw asRefusal(error);
  }
}

/** Why the database cannot be used for now, where it is a server that says so; null where it cannot be reached. */
export function whyUnavailable({ cause }: StoreUnavailableError): string | null {
  if (!(cause instanceof Error) || typeof (cause as DriverError).sqlState !== "string") return null;
  const { errno } = cause as DriverError;
  // An option that stands in the way, nearly always --read-only; the server names it.
  const option = errno === 1290 ? /with the (--[a-z-]+)/.exec(cause.message)?.[1] : undefined;
  const why = option === undefined
    ? UNAVAILABLE.get(errno) ?? "it refuses what it is asked"
    : `it runs with ${option}`;
  return `${why}: ${numberOf(cause)}`;
}

/** A server's error without its text. */
function numberOf({ errno, sqlState }: DriverError): string {
  const state = /^[0-9A-Z]{5}$/.test(String(sqlState)) ? ` (SQLSTATE ${sqlState})` : "";
  return `error ${Number(errno)}${state}`;
}
