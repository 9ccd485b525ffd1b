/**
 * What the account may do on a MySQL server. It is tried in a table of the doctor's own, which is dropped
 * again; an account that could not drop it is judged by its grants.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { Tables } from "../../db/schema.ts";
import { type Check, fault, ok, warning } from "./report.ts";

const NAME = "privileges";
/** Without these nothing works. */
const DAILY = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/** These are for the tables themselves. */
const FOR_MIGRATIONS = ["CREATE", "ALTER"];

/** The server's words for "you may not": its error numbers. */
const DENIED: ReadonlySet<unknown> = new Set([1044, 1045, 1142, 1143, 1227, 1370]);

/** @param database the database's name, as `DATABASE_URL` gives it */
export async function checkPrivileges(db: Kysely<Tables>, database: string): Promise<Check> {
  const denied = await tryAll(db);
  if (denied === null) return ok(NAME, "Creates, alters, inserts, selects, updates and deletes.");
  if (!DENIED.has(denied.errno)) {
    return fault(
      NAME,
      `The database refuses to ${denied.step} (${denied.code}).`,
      "Look whether it is a read-only replica, out of room, or set up in an unusual way.",
    );
  }
  return judgeGrants(await grantsOf(db), database, denied.step);
}

interface Denied {
  readonly step: string;
  readonly errno: unknown;
  readonly code: unknown;
}

/**
 * The first thing that the server refuses; null when it refuses nothing. Dropping comes first, before there is
 * anything to drop: what could not be dropped must not be made.
 */
async function tryAll(db: Kysely<Tables>): Promise<Denied | null> {
  const table = sql.table(`ll_whatsapp_doctor_${crypto.randomUUID().slice(0, 8)}`);
  const drop = sql`drop table if exists ${table}`;
  const steps: readonly (readonly [step: string, statement: typeof drop])[] = [
    ["drop a table", drop],
    ["create a table", sql`create table ${table} (id int not null primary key, a int) engine = InnoDB`],
    ["alter a table", sql`alter table ${table} add column b int`],
    ["insert", sql`insert into ${table} (id, a) values (1, 1)`],
    ["select", sql`select a from ${table}`],
    ["update", sql`update ${table} set a = 2 where id = 1`],
    ["delete", sql`delete from ${table} where id = 1`],
  ];
  let step = "";
  try {
    for (const [name, statement] of steps) {
      step = name;
      await statement.execute(db);
    }
    return null;
  } catch (error) {
    const { errno, code } = error as { errno?: unknown; code?: unknown };
    return { step, errno, code };
  } finally {
    if (step !== "drop a table") await drop.execute(db);
  }
}

async function grantsOf(db: Kysely<Tables>): Promise<string[]> {
  const { rows } = await sql<Record<string, string>>`show grants`.execute(db);
  return rows.map((row) => String(Object.values(row)[0]));
}

/**
 * Judges by `SHOW GRANTS`.
 * @param step what the account may not do
 */
export function judgeGrants(grants: readonly string[], database: string, step: string): Check {
  const held = new Set<string>();
  let isUnclear = false;
  for (const grant of grants) {
    const [, privileges, scope] = /^GRANT (.+?) ON (\S+) TO /.exec(grant) ?? [];
    if (privileges === undefined || scope === undefined) isUnclear = true; // a role
    else if (covers(scope, database)) {
      for (const privilege of privileges.split(", ")) held.add(privilege.toUpperCase());
    } else if (!scope.endsWith(".*")) isUnclear = true; // one table, perhaps ours
  }
  const lacks = (names: readonly string[]) =>
    held.has("ALL PRIVILEGES") ? [] : names.filter((name) => !held.has(name));
  const daily = lacks(DAILY);
  const others = lacks(FOR_MIGRATIONS);
  const saw = `The account may not ${step}; ${
    daily.length + others.length === 0
      ? "its grants have all else"
      : `${[...daily, ...others].join(", ")} missing`
  }.`;
  if (isUnclear && daily.length + others.length > 0) {
    return warning(NAME, `${saw} Roles or single tables may make up for it.`, ASK);
  }
  if (daily.length > 0) return fault(NAME, saw, ASK);
  if (others.length > 0) {
    return warning(
      NAME,
      saw,
      "Grant CREATE and ALTER, or run `deno task migrate` with an account that has them.",
    );
  }
  return ok(NAME, `By its grants, all that the service needs; not tried, for the account may not ${step}.`);
}

const ASK = "Grant SELECT, INSERT, UPDATE, DELETE, CREATE and ALTER on the database.";

/** Whether a scope such as `*.*` or `` `name`.* `` is this database; its wildcards are the server's own. */
function covers(scope: string, database: string): boolean {
  if (scope === "*.*") return true;
  const [, pattern] = /^[`"](.+)[`"]\.\*$/.exec(scope) ?? [];
  if (pattern === undefined) return false;
  const text = pattern.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === "_") return ".";
    if (part === "%") return ".*";
    return RegExp.escape(part.replace(/^\\(?=.)/, ""));
  });
  return new RegExp(`^${text}$`, "s").test(database);
}
