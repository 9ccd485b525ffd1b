/**
 * Moves everything from one database to another, of whatever dialects: nothing is lost, and at no moment can a service
 * be started on both.
 *
 * 1. The target gets its tables, and a mark: nothing starts there.
 * 2. Everything is copied, read back, and compared, row by row.
 * 3. The source gets its mark: nothing starts there either.
 * 4. The target loses its mark.
 *
 * Whatever stops it before the third step leaves a file as it was; after it, nothing but the fourth is left. The same
 * command begins anew in any case, over what it has left in the target. A server's database cannot be claimed as a file
 * can, so that as a source it gets its mark before anything is copied, and loses it where the copying fails.
 * @module
 */
import { createHash } from "node:crypto";
import { sql } from "kysely";
import type { ReplicaId, SeenPresence } from "../../domain/leases.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { FIELD_SET } from "../adoption/judgement.ts";
import { connect, type Database } from "../database.ts";
import { type DatabaseTarget, nodeName, parseDatabaseUrl } from "../database_url.ts";
import { DatabaseUnusableError } from "../errors.ts";
import { runGuarded } from "../faults.ts";
import { isFile } from "../files.ts";
import { migrateDatabase } from "../migrate.ts";
import { refusing } from "../refusals.ts";
import { parseInstant } from "../rows.ts";
import { MIGRATIONS, REPLICAS, SESSIONS } from "../schema.ts";
import { claimDatabase } from "../sole_process.ts";
import { hasTable, lookAtTable } from "../table_shape.ts";
import { compareTable, copyTable } from "./copying.ts";
import { mark, markFile, marksOf, unmark } from "./ledger.ts";
import { type Mark, nameOf, refuseMarked } from "./marks.ts";
import { MOVED_TABLES } from "./tables.ts";

/** The presences in a database, as they are now. */
export type LookAtPresences = () => Promise<ReadonlyMap<ReplicaId, SeenPresence>>;

/** From where to where, and who is told of the progress. */
export interface MoveOptions {
  /** Where everything is; see `database_url.ts`. */
  readonly from: string;
  /** Where it is to be; nothing of a service's may be there. */
  readonly to: string;
  /** How many of the replicas that are present are alive; looks until it knows. */
  readonly countAlive: (look: LookAtPresences) => Promise<number>;
  /** Told of every table that has been copied. */
  readonly onTable?: (table: string, rows: number) => void;
}

/** What a move has done. */
export interface MoveReport {
  /** Rows by table. */
  readonly rows: ReadonlyMap<string, number>;
  /** Where everything is now, without a secret. */
  readonly place: string;
  /** Columns that the contract's table has besides, and that were left. */
  readonly ownColumns: readonly string[];
}

/** The target cannot be reached, or cannot take what it is given for now. */
export class TargetUnavailableError extends StoreUnavailableError {}

/** A table may be long in being emptied; in milliseconds. */
const STATEMENT_MS = 3_600_000;

/**
 * Moves a database.
 * @throws {DatabaseUnusableError} one sentence: a service runs on either, something is in the target already, one of
 *   the two does not fit
 * @throws {TargetUnavailableError} when the target cannot be reached for now
 * @throws {StoreUnavailableError} when the source cannot
 */
export async function move(options: MoveOptions): Promise<MoveReport> {
  const from = parseDatabaseUrl(options.from);
  const to = await atTarget(() => Promise.resolve(parseDatabaseUrl(options.to)));
  refuseSame(from, to);
  if (from.dialect === "sqlite" && !isFile(from.path)) {
    throw new DatabaseUnusableError(`There is no database file ${from.path}.`);
  }
  using _source = claimDatabase(options.from);
  using _target = claimDatabase(options.to);
  await using closing = new AsyncDisposableStack();
  const bounds = { statementMs: STATEMENT_MS };
  // A file is opened for writing when its mark is made, and not before.
  const source = await connect(options.from, { readOnly: from.dialect === "sqlite", bounds });
  closing.defer(() => source.close());
  const origin = await inspectSource(source, options);
  const away: Mark = { kind: "away", place: placeOf(to) };
  const left = await marksOf(source);
  const canBeBegun = to.dialect === "mysql" || isFile(to.path);
  if (!canBeBegun || left.some((mark) => nameOf(mark) !== nameOf(away))) refuseMarked(left);
  const target = await atTarget(() => connect(options.to, { bounds }));
  closing.defer(() => target.close());
  const ownColumns = await ownColumnsOf(source);
  const rows = await moveBetween(source, target, { ...options, origin, away, isLeft: left.length > 0 });
  return { rows, place: away.place, ownColumns };
}

interface Movement extends MoveOptions {
  /** By what the source is known again. */
  readonly origin: string;
  /** The mark that the source gets. */
  readonly away: Mark;
  /** Whether it has it already: nothing is left to be done but the last step, or it is a server's. */
  readonly isLeft: boolean;
}

async function moveBetween(
  source: Database,
  target: Database,
  { from, countAlive, onTable, origin, away, isLeft }: Movement,
): Promise<Map<string, number>> {
  if (isLeft && !await atTarget(() => isBegunIn(target, origin))) refuseMarked([away]);
  await atTarget(() => prepareTarget(target, origin, countAlive));
  const marksEarly = source.dialect === "mysql";
  let rows: Map<string, number>;
  try {
    if (marksEarly) await mark(source, away);
    rows = await copyAll(source, target, onTable);
    await atTarget(() => refuseAlive(target, countAlive));
    // One that was starting when it was marked is present by now.
    await refuseAlive(source, countAlive);
  } catch (error) {
    if (marksEarly && !isLeft) await unmark(source, away).catch(() => {}); // `--undo` is left for it
    throw error;
  }
  if (!marksEarly) {
    await source.close(); // the last to close a file brings its log into it
    await markFile(from, away);
  }
  await atTarget(() => unmark(target, { kind: "here", origin }));
  return rows;
}

/** An adopted table may have columns of its owner's. */
async function ownColumnsOf(source: Database): Promise<string[]> {
  const table = await lookAtTable(source, source.db, SESSIONS);
  return [...table?.columns.keys() ?? []].filter((column) => !FIELD_SET.has(column));
}

/**
 * Takes the mark off a database that was moved, so that a service can be started on it again.
 * @returns where it was moved to
 * @throws {DatabaseUnusableError} when it was not moved, or a service runs on it
 */
export async function undoMove(url: string): Promise<string> {
  const target = parseDatabaseUrl(url);
  if (target.dialect === "sqlite" && !isFile(target.path)) {
    throw new DatabaseUnusableError(`There is no database file ${target.path}.`);
  }
  using _claim = claimDatabase(url);
  const database = await connect(url);
  try {
    const away = (await marksOf(database)).find((mark) => mark.kind === "away");
    if (away?.kind !== "away") throw new DatabaseUnusableError("This database has not been moved away.");
    await unmark(database, away);
    return away.place;
  } finally {
    await database.close();
  }
}

/** @returns by what the source is known again */
async function inspectSource(source: Database, { countAlive }: MoveOptions): Promise<string> {
  const { present, applied } = await migrateDatabase(source, { dryRun: true, isMove: true });
  if (present.length === 0) {
    throw new DatabaseUnusableError("DATABASE_URL names a database without sessions.");
  }
  if (applied.length > 0) {
    throw new DatabaseUnusableError(
      "The database is of an older version: run `deno task migrate` on it first, and then this again.",
    );
  }
  if ((await marksOf(source)).some(({ kind }) => kind === "here")) refuseMarked(await marksOf(source));
  await refuseAlive(source, countAlive);
  const first = await source.db.selectFrom(MIGRATIONS).select(["name", "applied_at"])
    .where("name", "in", [...present]).orderBy("name").executeTakeFirstOrThrow();
  return createHash("sha256").update(`${first.name} ${parseInstant(first.applied_at)}`).digest("hex").slice(
    0,
    16,
  );
}

async function isBegunIn(target: Database, origin: string): Promise<boolean> {
  return (await marksOf(target)).some((mark) => nameOf(mark) === nameOf({ kind: "here", origin }));
}

/** Makes the tables, and marks the target. */
async function prepareTarget(
  target: Database,
  origin: string,
  countAlive: MoveOptions["countAlive"],
): Promise<void> {
  const marks = await marksOf(target);
  const isBegun = await isBegunIn(target, origin);
  if (marks.length > 0 && !isBegun) {
    if (marks.some(({ kind }) => kind === "away")) refuseMarked(marks);
    throw new DatabaseUnusableError(
      "Another database is half moved into the one of --to: run that move again, or name an empty one.",
    );
  }
  await refuseAlive(target, countAlive);
  if (!isBegun) await refuseTaken(target);
  await migrateDatabase(target, { isMove: true });
  await mark(target, { kind: "here", origin });
}

async function copyAll(
  source: Database,
  target: Database,
  onTable: MoveOptions["onTable"],
): Promise<Map<string, number>> {
  const rows = new Map<string, number>();
  for (const table of MOVED_TABLES) {
    await atTarget(() => runGuarded(() => target.db.deleteFrom(table.table).execute()));
    rows.set(table.table, await copyTable(source, target, table, atTarget));
    await compareTable(source, target, table, atTarget);
    onTable?.(table.table, rows.get(table.table)!);
  }
  return rows;
}

/** @throws {DatabaseUnusableError} when a service has been here */
async function refuseTaken(target: Database): Promise<void> {
  for (const { table } of MOVED_TABLES) {
    if (!await hasTable(target, target.db, table)) continue;
    const { n } = await target.db.selectFrom(table).select((row) => row.fn.countAll().as("n"))
      .executeTakeFirstOrThrow();
    if (Number(n) === 0) continue;
    const what = table === SESSIONS ? (Number(n) === 1 ? "session" : "sessions") : `rows in ${table}`;
    throw new DatabaseUnusableError(
      `The database of --to already holds ${Number(n)} ${what}; name an empty one. Nothing was moved.`,
    );
  }
}

async function refuseAlive(database: Database, countAlive: MoveOptions["countAlive"]): Promise<void> {
  if (database.dialect === "sqlite" || !await hasTable(database, database.db, REPLICAS)) return;
  const alive = await countAlive(() => presencesIn(database));
  if (alive === 0) return;
  throw new DatabaseUnusableError(
    `A service runs on the database of DATABASE_URL (${alive} ${
      alive === 1 ? "replica" : "replicas"
    }); stop it first.`,
  );
}

function presencesIn({ db }: Database): Promise<Map<ReplicaId, SeenPresence>> {
  return runGuarded(async () => {
    const { rows } = await sql<{ replica: string; mark: string; is_over: unknown }>`
      select replica_id as replica, expires_at as mark, expires_at <= utc_timestamp(3) as is_over
        from ${sql.table(REPLICAS)}`.execute(db);
    return new Map(
      rows.map(({ replica, mark, is_over }) => [replica, { mark, isOver: Number(is_over) === 1 }]),
    );
  });
}

/** What goes wrong with the target, said of the target. */
async function atTarget<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await refusing(work);
  } catch (error) {
    if (error instanceof DatabaseUnusableError) {
      throw new DatabaseUnusableError(error.message.replaceAll("DATABASE_URL", "--to"), { cause: error });
    }
    if (error instanceof StoreUnavailableError) throw new TargetUnavailableError(error.cause);
    throw error;
  }
}

/** @throws {DatabaseUnusableError} when there is nothing to move, or nowhere to */
function refuseSame(from: DatabaseTarget, to: DatabaseTarget): void {
  if ([from, to].some((one) => one.dialect === "sqlite" && one.path === ":memory:")) {
    throw new DatabaseUnusableError(
      "A database in memory cannot be moved, and nothing can be moved into one.",
    );
  }
  const isSame = from.dialect === "mysql" && to.dialect === "mysql"
    ? from.database === to.database &&
      from.nodes.some((one) => to.nodes.some((other) => nodeName(one) === nodeName(other)))
    : from.dialect === "sqlite" && to.dialect === "sqlite" && from.path === to.path;
  if (isSame) throw new DatabaseUnusableError("DATABASE_URL and --to name the same database.");
}

/** Without the account. */
function placeOf(target: DatabaseTarget): string {
  return target.dialect === "sqlite" ? target.path : `${nodeName(target.nodes[0]!)}/${target.database}`;
}
