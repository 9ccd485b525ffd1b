/**
 * Remote commands on MySQL: rows that one replica writes and another one settles.
 * @module
 */
import { type Kysely, sql } from "kysely";
import type { AddressedCommand, CommandState } from "../cluster/ports.ts";
import type { ReplicaId } from "../domain/leases.ts";
import type { CommandOutcome, RemoteCommand } from "../sessions/ports/ownership.ts";
import { runGuarded } from "./faults.ts";
import { COMMANDS, REPLICAS, type Tables } from "./schema.ts";

/** Age at which a command is deleted that its sender never dropped, in minutes. */
const STALE_MINUTES = 10;

const NOW = sql`utc_timestamp(3)`;

/** The commands of all replicas. */
export class SqlCommands {
  readonly #db: Kysely<Tables>;
  readonly #admit: () => void;

  /** @param admit throws while the database is known not to take writes */
  constructor(db: Kysely<Tables>, admit: () => void) {
    this.#db = db;
    this.#admit = admit;
  }

  /** Leaves a command for a replica. @returns its id */
  send(to: ReplicaId, instanceId: string, command: RemoteCommand): Promise<number> {
    const columns = columnsOfCommand(command);
    let isSent = false;
    return runGuarded(async () => {
      // Its key finds it again where the answer to the first attempt was lost, so that it is not written twice.
      const written = isSent ? await this.#find(to, columns.errand) : undefined;
      if (written !== undefined) return written;
      isSent = true;
      this.#admit();
      const { insertId } = await this.#db.insertInto(COMMANDS).values({
        replica_id: to,
        instance_id: instanceId,
        ...columns,
        outcome: null,
        result: null,
        created_at: sql`utc_timestamp(3)`,
      }).executeTakeFirstOrThrow();
      return Number(insertId);
    });
  }

  async #find(to: ReplicaId, errand: string): Promise<number | undefined> {
    const row = await this.#db.selectFrom(COMMANDS).select("id")
      .where("replica_id", "=", to).where("errand", "=", errand).executeTakeFirst();
    return row?.id;
  }

  /** The commands that wait for this replica, oldest first. */
  waitingFor(replica: ReplicaId): Promise<AddressedCommand[]> {
    return runGuarded(async () => {
      const rows = await this.#db.selectFrom(COMMANDS).select(["id", "instance_id", "errand", "command"])
        .where("replica_id", "=", replica).where("outcome", "is", null).orderBy("id").execute();
      return rows.map(({ id, instance_id, errand, command }) => ({
        id,
        instanceId: instance_id,
        command: parseCommand(command ?? errand),
      }));
    });
  }

  /** Writes the outcome of a command. */
  async settle(id: number, outcome: CommandOutcome): Promise<void> {
    const columns = columnsOfOutcome(outcome);
    await runGuarded(() => this.#db.updateTable(COMMANDS).set(columns).where("id", "=", id).execute());
  }

  /** The state of a command. */
  stateOf(id: number): Promise<CommandState> {
    return runGuarded(async () => {
      const { rows: [row] } = await sql<{ outcome: string | null; result: string | null; present: unknown }>`
        select c.outcome, c.result, r.replica_id is not null as present from ${sql.table(COMMANDS)} c
          left join ${sql.table(REPLICAS)} r on r.replica_id = c.replica_id
          where c.id = ${id}`.execute(this.#db);
      if (row === undefined) return { kind: "lost" };
      if (row.outcome !== null) return parseOutcome(row.outcome, row.result);
      return Number(row.present) === 1 ? { kind: "open" } : { kind: "lost" };
    });
  }

  /** Deletes a command that its sender no longer waits for. */
  async drop(id: number): Promise<void> {
    await runGuarded(() => this.#db.deleteFrom(COMMANDS).where("id", "=", id).execute());
  }

  /** Deletes the commands for a replica that leaves. */
  async forget(replica: ReplicaId): Promise<void> {
    await runGuarded(() => this.#db.deleteFrom(COMMANDS).where("replica_id", "=", replica).execute());
  }

  /** Deletes what nobody has dropped, in the past or, after the server's clock was set back, in the future. */
  async tidy(): Promise<void> {
    const isStale = sql<boolean>`created_at not between ${NOW} - interval ${STALE_MINUTES} minute
      and ${NOW} + interval ${STALE_MINUTES} minute`;
    await this.#db.deleteFrom(COMMANDS).where(isStale).execute();
  }
}

/** Characters, all of them ASCII, that the column `errand` holds. */
const SHORT_CHARACTERS = 255;
/** Stands in `errand` for a command that is in `command`; the version before knows no such command and does nothing. */
const ELSEWHERE = "in_command";

function columnsOfCommand(command: RemoteCommand): { errand: string; command: string | null } {
  const key = crypto.randomUUID();
  const whole = JSON.stringify({ ...command, key });
  const isShort = whole.length <= SHORT_CHARACTERS && /^[\x20-\x7e]*$/.test(whole);
  return isShort
    ? { errand: whole, command: null }
    : { errand: JSON.stringify({ type: ELSEWHERE, key }), command: whole };
}

function parseCommand(text: string): RemoteCommand {
  const { key: _, ...command } = JSON.parse(text);
  return command as RemoteCommand;
}

/** The outcome of a command that was carried out, as the version before writes and reads it; others are error codes. */
const DONE = "done";

function columnsOfOutcome(outcome: CommandOutcome): { outcome: string; result: string | null } {
  return outcome.kind === "done"
    ? { outcome: DONE, result: JSON.stringify(outcome.result) ?? null }
    : { outcome: outcome.code, result: JSON.stringify({ retry_after_seconds: outcome.retryAfterSeconds }) };
}

function parseOutcome(outcome: string, text: string | null): CommandOutcome {
  const result: unknown = text === null ? null : JSON.parse(text);
  if (outcome === DONE) return { kind: "done", result };
  const seconds = (result as { retry_after_seconds?: unknown } | null)?.retry_after_seconds;
  return { kind: "failed", code: outcome, retryAfterSeconds: typeof seconds === "number" ? seconds : null };
}
