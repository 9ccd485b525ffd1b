/**
 * `DATABASE_URL`, taken apart.
 *
 * - `sqlite:data/session-manager.db`, `sqlite:/var/lib/x.db`, `sqlite::memory:`
 * - `mysql://user:password@host:3306/database`; of a cluster every node, `mysql://user:password@h1:3306,h2:3306,h3:3306/database`:
 *   the one that takes writes is found, and followed. With these parameters:
 *   - `ssl=true`: TLS; the certificate has to be valid for the host, which is given by name. `ssl=verify-ca`: TLS; the
 *     certificate has to be of an authority in `ssl-ca`, for whatever name, as those are that MySQL makes for itself; the
 *     host may be an address. `ssl=skip-verify`: TLS against a server whose certificate nobody checks. `ssl=false`, the
 *     default: none.
 *   - `ssl-ca=<path>`: a PEM file of the authorities to trust in place of the usual ones; implies `ssl=true`.
 *   - `pool=<1…100>`: how many connections at most; 10 by default.
 *
 * Source: decisions, "Configuration".
 * @module
 */
import { isIP } from "node:net";
import { DatabaseUnusableError } from "./errors.ts";

/** An embedded database: a file, or `:memory:`. */
export interface SqliteTarget {
  readonly dialect: "sqlite";
  readonly path: string;
}

/** Where a server listens. */
export interface DatabaseNode {
  readonly host: string;
  readonly port: number;
}

/** A MySQL or MariaDB server, or the nodes of a cluster of which one takes writes. */
export interface MysqlTarget {
  readonly dialect: "mysql";
  /** At least one; in the order of the URL. */
  readonly nodes: readonly DatabaseNode[];
  readonly user: string;
  /** A secret. */
  readonly password: string;
  readonly database: string;
  /** `authority`: the certificate's authority is checked, the name in it is not. */
  readonly tls: "none" | "verified" | "authority" | "unverified";
  /** Path of a PEM file; null for the usual authorities. */
  readonly tlsAuthorities: string | null;
  /** Connections at most. */
  readonly poolSize: number;
}

/** What a database URL names: a file, or a server. */
export type DatabaseTarget = SqliteTarget | MysqlTarget;

/** The folder of a file's path; `.` where the path has none. */
export function folderOf(path: string): string {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? "." : path.slice(0, cut) || "/";
}

/**
 * Reads a database URL.
 * @throws {DatabaseUnusableError} with a sentence that names `DATABASE_URL` and does not repeat it
 */
export function parseDatabaseUrl(url: string): DatabaseTarget {
  if (url.startsWith("sqlite:")) return parseSqlite(url.slice("sqlite:".length));
  if (url.startsWith("mysql://") || url.startsWith("mariadb://")) return parseMysql(url);
  throw bad("has to begin with sqlite: or mysql://");
}

function parseSqlite(rest: string): SqliteTarget {
  const path = rest.startsWith("//") ? rest.slice(2) : rest;
  if (path === "") throw bad("names no SQLite file");
  if (/[?#\0]/.test(path)) throw bad("names a SQLite file with a character that no file name should have");
  return { dialect: "sqlite", path };
}

/** The nodes of an authority that names several: no character of theirs is any of its own parts'. */
const NODES = /^([a-z]+:\/\/(?:[^/?#]*@)?)([^/?#@]*,[^/?#@]*)((?:[/?#].*)?)$/s;
const MOST_NODES = 9;

function parseMysql(text: string): MysqlTarget {
  const [, scheme = "", list = "", rest = ""] = NODES.exec(text) ?? [];
  if (list === "") {
    const { node, ...target } = parseOne(text);
    return { ...target, nodes: [node] };
  }
  // Each by itself, as if it were the only one.
  const whole = list.split(",").map((one) => parseOne(`${scheme}${one}${rest}`));
  const nodes = whole.map(({ node }) => node);
  const places = new Set(nodes.map(nodeName));
  if (places.size < nodes.length) throw bad("names a node twice");
  if (nodes.length > MOST_NODES) throw bad(`names more than ${MOST_NODES} nodes`);
  const { node: _, ...target } = whole[0]!;
  return { ...target, nodes };
}

/** A node as messages, logs and flags name it. */
export function nodeName({ host, port }: DatabaseNode): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseOne(text: string): Omit<MysqlTarget, "nodes"> & { node: DatabaseNode } {
  const url = URL.parse(text);
  if (url === null) throw bad("is not a URL; are the special characters of the password percent-encoded?");
  // What is behind an @ of the password's own, or of the whole authority after a / or ? in it.
  if (text.includes("#") || /@/.test(url.pathname + url.search)) {
    throw bad("has a special character of the password that is not percent-encoded");
  }
  const database = decode(url.pathname.slice(1));
  if (url.hostname === "") throw bad("names no host");
  if (url.username === "") throw bad("names no user");
  if (database === "" || database.includes("/")) throw bad("has to name one database after the host");
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const parameters = parseParameters(url.searchParams);
  // The driver would look for the name `localhost` in the certificate of an address.
  if (parameters.tls === "verified" && isIP(host) !== 0) {
    throw bad("has to give the host by name for its TLS certificate to be checked, or to say ssl=verify-ca");
  }
  return {
    dialect: "mysql",
    node: { host, port: url.port === "" ? 3306 : Number(url.port) },
    user: decode(url.username),
    password: decode(url.password),
    database,
    ...parameters,
  };
}

function parseParameters(
  parameters: URLSearchParams,
): Pick<MysqlTarget, "tls" | "tlsAuthorities" | "poolSize"> {
  let ssl: MysqlTarget["tls"] | undefined;
  let tlsAuthorities: string | null = null;
  let poolSize = 10;
  for (const [name, value] of parameters) {
    switch (name) {
      case "ssl":
        ssl = SSL.get(value);
        if (ssl === undefined) throw bad("takes true, verify-ca, skip-verify or false for ssl");
        break;
      case "ssl-ca":
        if (value === "") throw bad("names no file in ssl-ca");
        tlsAuthorities = value;
        break;
      case "pool":
        poolSize = Number(value);
        if (!Number.isInteger(poolSize) || poolSize < 1 || poolSize > 100) {
          throw bad("takes a whole number from 1 to 100 for pool");
        }
        break;
      default:
        throw bad("has a parameter other than ssl, ssl-ca and pool");
    }
  }
  if (tlsAuthorities !== null && (ssl === "none" || ssl === "unverified")) {
    throw bad("has ssl-ca without ssl=true or ssl=verify-ca, so the authorities would be ignored");
  }
  // Anybody can have a certificate of the usual ones, for a name of their own.
  if (tlsAuthorities === null && ssl === "authority") throw bad("has ssl=verify-ca without ssl-ca");
  return { tls: ssl ?? (tlsAuthorities === null ? "none" : "verified"), tlsAuthorities, poolSize };
}

const SSL: ReadonlyMap<string, MysqlTarget["tls"]> = new Map([
  ["true", "verified"],
  ["verify-ca", "authority"],
  ["skip-verify", "unverified"],
  ["false", "none"],
]);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw bad("has a percent sign that is not percent-encoded");
  }
}

function bad(what: string): DatabaseUnusableError {
  return new DatabaseUnusableError(`DATABASE_URL ${what}.`);
}
