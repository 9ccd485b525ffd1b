/**
 * The fence: a write gets through only while the lease that it names is this replica's. The lease's row is
 * locked for reading until the write has committed, so that nobody can take the session in between.
 *
 * `LOCK IN SHARE MODE` and not `FOR SHARE`, which MariaDB does not know; without it a subquery locks nothing
 * under `READ COMMITTED`.
 * @module
 */
import { type ExpressionBuilder, type Kysely, type RawBuilder, sql } from "kysely";
import { FencedError } from "../sessions/ports/store.ts";
import type { Lease } from "../domain/leases.ts";
import { LEASES, type Tables } from "./schema.ts";

/** A condition of an update or a deletion. */
export function isHeld(lease: Lease) {
  return (_: ExpressionBuilder<Tables, any>): RawBuilder<boolean> => sql<boolean>`exists (${locked(lease)})`;
}

/**
 * The instance's id where the lease is held, null where it is not: in the first row of an insert, where null is
 * not allowed, it refuses the whole statement.
 */
export function idIfHeld(lease: Lease): RawBuilder<string> {
  return sql<string>`(${locked(lease)})`;
}

/** Whether an insert was refused by {@link idIfHeld}: "column cannot be null". */
export function isRefusedByFence(error: unknown): boolean {
  return error instanceof Error && (error as Error & { errno?: unknown }).errno === 1048;
}

/**
 * Locks the lease until the end of the transaction.
 * @throws {FencedError} when it is not held
 */
export async function assertHeld(db: Kysely<Tables>, lease: Lease): Promise<void> {
  const { rows } = await locked(lease).execute(db);
  if (rows.length === 0) throw new FencedError(lease.instanceId);
}

function locked({ instanceId, replica, epoch }: Lease): RawBuilder<unknown> {
  return sql`select instance_id from ${sql.table(LEASES)}
    where instance_id = ${instanceId} and replica_id = ${replica} and epoch = ${epoch} lock in share mode`;
}
