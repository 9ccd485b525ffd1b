/**
 * The database, from its address to its tables. Whoever opens it opens it to look; what is tried is tried in a
 * table that is dropped again.
 * @module
 */
import { statIfThere } from "../../db/files.ts";
import { DatabaseSync } from "node:sqlite";
import { type Kysely, sql } from "kysely";
import type { Config } from "../../config.ts";
import { describeRows, describeSettlement, type TableReport } from "../../db/adoption/mod.ts";
import { connect, type Database } from "../../db/database.ts";
import { nodeName } from "../../db/database_url.ts";
import { namesOf } from "../../db/nodes.ts";
import type { DatabaseTarget, MysqlTarget, SqliteTarget } from "../../db/database_url.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { DatabaseUnusableError, whyUnavailable } from "../../db/mod.ts";
import { SESSIONS, type Tables } from "../../db/schema.ts";
import { SEALED_TABLES, type SealedTable } from "../../db/sealed_tables.ts";
import { hasTable } from "../../db/table_shape.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { checkCredentials, keysAtHand } from "./credentials.ts";
import { checkPrivileges } from "./privileges.ts";
import { checkReplicaKeys } from "./replica_keys.ts";
import { type Check, fault, notChecked, ok, warning } from "./report.ts";

/** After which an unanswered statement is given up, in milliseconds. */
const STATEMENT_MS = 10_000;
/** The clocks agree as far as anybody can see who reads the table. */
const CLOCK_MS = 1_000;
/** A QR that WhatsApp renews lives this long; a clock that is off by more shows it dead or alive wrongly. */
const QR_LIFE_MS = 20_000;

/** Every check of the database, its credentials included. */
export async function checkDatabase(config: Config, target: DatabaseTarget): Promise<Check[]> {
  const keys = await keysAtHand(config, target);
  const broken = keys !== null && "outcome" in keys ? keys : null;
  if (target.dialect === "sqlite" && (target.path === ":memory:" || !holdsAnything(target.path))) {
    const saw = target.path === ":memory:"
      ? "In memory: everything is lost with the process."
      : `${target.path} does not exist yet; the service makes it.`;
    return [ok("database", saw), ...(broken ? [broken] : [])];
  }
  using _traces = target.dialect === "sqlite" ? noTraces(target.path) : undefined;
  let database: Database;
  try {
    database = await connect(config.databaseUrl, { readOnly: true, bounds: { statementMs: STATEMENT_MS } });
  } catch (error) {
    const why = "the database cannot be used";
    return [unreachable(target, error), notChecked("tables", why), broken ?? notChecked("credentials", why)];
  }
  try {
    const whole = keys as Exclude<typeof keys, Check>;
    return [
      ...target.dialect === "mysql"
        ? await checkServer(database, target)
        : [await checkFile(database, target)],
      ...await checkTables(database),
      broken ?? await checkStored(database, whole),
      ...broken || target.dialect !== "mysql" ? [] : await checkReplicaKeys(database, whole),
    ];
  } finally {
    await database.close();
  }
}

function holdsAnything(path: string): boolean {
  return (statIfThere(path)?.size ?? 0) > 0;
}

/** What keeps a connection from coming about, and at which step. */
const STEPS: ReadonlyMap<unknown, (target: MysqlTarget) => string> = new Map([
  ["ENOTFOUND", ({ nodes }) => `The name ${nodes.map(({ host }) => host).join(", ")} leads to no address.`],
  [
    "EAI_AGAIN",
    ({ nodes }) => `The name ${nodes.map(({ host }) => host).join(", ")} cannot be resolved for now.`,
  ],
  ["ECONNREFUSED", ({ nodes }) => `Nothing listens on ${namesOf(nodes)}.`],
  ["ETIMEDOUT", ({ nodes }) => `${namesOf(nodes)} does not answer.`],
  [
    "NO_PRIMARY",
    ({ nodes }) => `None of ${namesOf(nodes)} takes writes: it is a failover, or there is no quorum.`,
  ],
]);

function unreachable(target: DatabaseTarget, error: unknown): Check {
  const name = "database";
  if (error instanceof DatabaseUnusableError) {
    const todo = target.dialect === "mysql"
      ? "Mend DATABASE_URL, or the account on the server."
      : "Restore the file from a backup, or name another one in DATABASE_URL.";
    return fault(name, error.message, todo);
  }
  if (!(error instanceof StoreUnavailableError)) throw error;
  if (target.dialect === "sqlite") {
    return fault(name, `Another process has locked ${target.path}.`, "Stop it; one service a database file.");
  }
  const why = whyUnavailable(error);
  if (why !== null) {
    return fault(
      name,
      `${namesOf(target.nodes)} cannot be used for now, since ${why}.`,
      "See to it on the server; the service waits half a minute for it at its start.",
    );
  }
  const { code } = (error.cause ?? {}) as { code?: unknown };
  const saw = STEPS.get(code)?.(target) ??
    `${namesOf(target.nodes)} cannot be used for now${typeof code === "string" ? ` (${code})` : ""}.`;
  return fault(name, saw, "Start the database, let this machine through to it, or mend DATABASE_URL.");
}

// ── MySQL and MariaDB ────────────────────────────────────────────────────────────────────────────

async function checkServer(database: Database, target: MysqlTarget): Promise<Check[]> {
  const { rows: [row] } = await sql<{ version: string }>`select version() as version`.execute(database.db);
  const version = checkVersion(String(row?.version), namesOf(target.nodes));
  const nodes = target.nodes.length > 1 ? [await checkNodes(target)] : [];
  return [
    version,
    ...nodes,
    await checkPrivileges(database.db, target.database),
    await checkClock(database.db),
  ];
}

/** MySQL 8.0, MariaDB 10.6: what the store's statements and its tests stand on. */
export function checkVersion(version: string, place: string): Check {
  const isMariadb = /mariadb/i.test(version);
  const [major = 0, minor = 0] = version.split(".").map((part) => parseInt(part, 10));
  const [atLeast, wanted] = isMariadb ? [[10, 6], "MariaDB 10.6"] as const : [[8, 0], "MySQL 8.0"] as const;
  const isEnough = major > atLeast[0] || (major === atLeast[0] && minor >= atLeast[1]);
  const saw = `${place} answers: ${isMariadb ? "" : "MySQL "}${version}.`;
  return isEnough ? ok("database", saw) : fault("database", saw, `Update it to ${wanted} or later.`);
}

/** The nodes of a cluster: one takes writes, and the others are there to take over. */
async function checkNodes(target: MysqlTarget): Promise<Check> {
  const { askNodes } = await import("../../db/mysql.ts");
  const roles = await askNodes(target);
  const saw = target.nodes.map((node, i) => {
    const role = roles[i];
    const says = role === "primary"
      ? "takes writes"
      : role === "read_only"
      ? "is read-only"
      : "does not answer";
    return `${nodeName(node)} ${says}`;
  }).join(", ");
  const todo = "See to the nodes that do not answer: a failover needs most of them.";
  return roles.every((role) => typeof role === "string")
    ? ok("nodes", `${saw}.`)
    : warning("nodes", `${saw}.`, todo);
}

async function checkClock(db: Kysely<Tables>): Promise<Check> {
  const asked = performance.now();
  const { rows: [row] } = await sql<{ seconds: string }>`select unix_timestamp(now(3)) as seconds`.execute(
    db,
  );
  const here = Date.now() - (performance.now() - asked) / 2;
  const ahead = Math.round(Number(row?.seconds) * 1_000 - here);
  const size = Math.abs(ahead);
  const saw = `The database's clock and this machine's are ${size} ms apart.`;
  const todo = "Let both machines keep time with NTP.";
  if (size > QR_LIFE_MS) return fault("clock", saw, todo);
  return size > CLOCK_MS ? warning("clock", saw, todo) : ok("clock", saw);
}

// ── SQLite ───────────────────────────────────────────────────────────────────────────────────────

/**
 * Whoever only reads a database with a write-ahead log leaves an empty log behind, which belongs to the wrong
 * user where an administrator ran the doctor. The last who may write takes it along when he closes; that is
 * left to SQLite, because it alone knows whether somebody else has come in the meantime.
 */
function noTraces(path: string): Disposable {
  const hadLog = holdsAnything(`${path}-shm`);
  return {
    [Symbol.dispose]: () => {
      if (hadLog || !holdsAnything(`${path}-shm`)) return;
      const last = new DatabaseSync(path);
      try {
        last.prepare("select count(*) from sqlite_schema").get();
      } finally {
        last.close();
      }
    },
  };
}

async function checkFile({ db }: Database, { path }: SqliteTarget): Promise<Check> {
  const { rows } = await sql<{ quick_check: string }>`pragma quick_check(1)`.execute(db);
  if (rows.length === 1 && rows[0]?.quick_check === "ok") return ok("database", `${path} is whole.`);
  return fault("database", `${path} is damaged.`, "Stop the service and restore the file from a backup.");
}

// ── Both ─────────────────────────────────────────────────────────────────────────────────────────

/** The same as `deno task migrate -- --dry-run` says: every flaw and every kind of row that is in the way is a check. */
async function checkTables(database: Database): Promise<Check[]> {
  const name = "tables";
  try {
    const report = await migrateDatabase(database, { dryRun: true });
    const { present, applied, adopted, table, altered } = report;
    const faults = table === null ? [] : checksOf(table, adopted);
    if (altered || faults.some(({ outcome }) => outcome === "fault")) return faults;
    const pending = applied.map((migration) => migration.name).join(", ");
    if (adopted) {
      const settled = table?.settlement ? ` ${describeSettlement(table.settlement, true).join("")}` : "";
      return [
        ok(name, `The table that is there fits and is adopted; to be applied: ${pending}.${settled}`),
        ...faults,
      ];
    }
    if (applied.length === 0) {
      return [ok(name, `Up to date, ${present.length} migrations applied.`), ...faults];
    }
    if (present.length === 0) {
      return [ok(name, `None yet; to be applied at the start: ${pending}.`), ...faults];
    }
    return [warning(name, `To be applied at the next start: ${pending}.`, "Make a backup first."), ...faults];
  } catch (error) {
    if (!(error instanceof DatabaseUnusableError)) throw error;
    return [fault(name, error.message, "Change the table as the sentence says, or use another database.")];
  }
}

function checksOf({ flaws, rowFaults, notes, statements }: TableReport, adopted: boolean): Check[] {
  const name = "tables";
  const inTheWay = adopted || flaws.length > 0;
  const rows = describeRows({ rowFaults }).join("\n");
  return [
    ...(rows === "" ? [] : [
      inTheWay
        ? fault(name, rows, "Mend or delete these rows.")
        : warning(name, rows, "Each of them is answered with an error until a QR is asked for."),
    ]),
    ...flaws.map(({ what, todo }) =>
      fault(name, `Table ${SESSIONS}: ${what}.`, todo ?? "`deno task migrate -- --alter` mends it.")
    ),
    ...(statements.length === 0
      ? []
      : [warning(name, `--alter would run: ${statements.map((statement) => `${statement};`).join("\n")}`)]),
    ...notes.map((note) => ok(name, `${SESSIONS}: ${note}`)),
  ];
}

async function checkStored(database: Database, keys: Parameters<typeof checkCredentials>[1]): Promise<Check> {
  // A database of an earlier version has some of them.
  const there: SealedTable[] = [];
  for (const table of SEALED_TABLES) {
    if (await hasTable(database, database.db, table.table)) there.push(table);
  }
  if (there.length === 0) {
    return ok("credentials", "The key is well-formed where there is one, and nothing is sealed yet.");
  }
  return await checkCredentials(database.db, keys, there);
}
