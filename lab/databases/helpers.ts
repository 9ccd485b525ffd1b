/**
 * What the tests of the store share: a dialect to run them over, keys, sessions.
 * @module
 */
import { type LogEvent, sql } from "kysely";
import fc from "fast-check";
import { FAULT_CODES } from "@session-manager/contract";
import type { CredentialsChange, KeyWrite } from "../../domain/credentials.ts";
import type { Lease } from "../../domain/leases.ts";
import type { Qr, Session, SessionState } from "../../domain/session.ts";
import type { SessionStore } from "../../sessions/ports/store.ts";
import { connect, type Database } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { CredentialKeys, openStore, type Store } from "../../db/mod.ts";
import { SqlStore } from "../../db/store.ts";
import { type TestServer, testServer } from "./server.ts";
import { whatIsMissing } from "./server_program.ts";

/** A dialect under test. */
export interface TestDialect {
  readonly name: "sqlite" | "mysql";
  /** Why its tests cannot run here; undefined when they can. */
  readonly skipped: string | undefined;
  /** A new, empty database; disposing removes what it left. */
  database(): Promise<TestDatabase>;
}

export interface TestDatabase extends AsyncDisposable {
  readonly url: string;
}

export const SQLITE: TestDialect = {
  name: "sqlite",
  skipped: undefined,
  async database() {
    const folder = await Deno.makeTempDir({ prefix: "store-" });
    return {
      url: `sqlite:${folder}/test.db`,
      [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
    };
  },
};

/** MySQL over this server, or over the one that all tests share. */
export async function mysql(own?: TestServer): Promise<TestDialect> {
  const server = own ?? await testServer();
  return {
    name: "mysql",
    skipped: server === undefined ? `no TEST_MYSQL_URL, and ${whatIsMissing()}` : undefined,
    async database() {
      const { url, drop } = await server!.database();
      return { url, [Symbol.asyncDispose]: drop };
    },
  };
}

/** Whether the tests of this dialect are left out: with `TEST_DIALECT=mysql` those of SQLite are, and vice versa. */
export function isLeftOut({ name }: Pick<TestDialect, "name">): boolean {
  return (Deno.env.get("TEST_DIALECT") || name) !== name;
}

/** Declares a test over a dialect, with a new database. */
export function dialectTest(
  dialect: TestDialect,
  name: string,
  body: (url: string) => Promise<void>,
): void {
  if (isLeftOut(dialect)) return;
  const why = dialect.skipped === undefined ? "" : ` (skipped: ${dialect.skipped})`;
  Deno.test({
    name: `${dialect.name}: ${name}${why}`,
    ignore: dialect.skipped !== undefined,
    fn: async () => {
      await using database = await dialect.database();
      await body(database.url);
    },
  });
}

/** A key of 32 equal bytes. */
export function key(byte: number): Uint8Array {
  return new Uint8Array(32).fill(byte);
}

export const KEYS = new CredentialKeys([key(1)]);

export function open(url: string, keys: CredentialKeys = KEYS): Promise<Store> {
  return openStore({ url, keys });
}

/** A store, and every statement that its database was sent. */
export async function openCounted(url: string): Promise<{ store: Store; statements: string[] }> {
  const statements: string[] = [];
  const log = (event: LogEvent) => void statements.push(event.query.sql);
  const database = await connect(url, { log });
  await migrateDatabase(database);
  statements.length = 0;
  return { store: new SqlStore(database, KEYS), statements };
}

/** The same database, everything of which goes over this. */
export function over(database: Database, db: Database["db"]): Database {
  return { ...database, db, writes: db, calls: db, control: db, presence: db };
}

/** The rows of a statement over a connection of its own; for looking behind the store's back. */
export async function query(url: string, statement: string): Promise<any[]> {
  const database = await connect(url);
  try {
    return (await sql.raw(statement).execute(database.db)).rows;
  } finally {
    await database.close();
  }
}

/** A pairing that is adopted; what it replaces is retired under an id of its own. */
export function adopt(
  credentials: string,
  keys: readonly KeyWrite[] = [],
  retiredId: string = crypto.randomUUID(),
): CredentialsChange {
  return { kind: "adopt", credentials, keys, retiredId };
}

/** `fc.record` of plain objects, which compare equal to those of the code under test. */
export function record<T>(shape: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(shape, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** Instants that both dialects hold: the years 1971 to 2037, so that TIMESTAMP columns do too. */
export const instants = fc.integer({ min: 31_536_000_000, max: 2_145_916_799_999 });
const maybeInstant = fc.option(instants);
const sentences = fc.string({ unit: "grapheme", maxLength: 100 });
const lastErrors = record({
  code: fc.constantFrom(...FAULT_CODES, "NETWORK", "UNKNOWN"),
  message: sentences,
});

const noQr = fc.constant<Qr & { status: "none" }>({ status: "none" });
const generatedQr = record({
  status: fc.constant("generated" as const),
  string: fc.base64String({ maxLength: 4_000 }).map((text) => `data:image/png;base64,${text}`),
  generatedAt: instants,
  expiresAt: instants,
});
const expiredQr = record({
  status: fc.constant("expired" as const),
  generatedAt: maybeInstant,
  expiresAt: maybeInstant,
});
const usedQr = record({
  status: fc.constant("used" as const),
  generatedAt: maybeInstant,
  expiresAt: maybeInstant,
});
const spentQr = fc.oneof(noQr, expiredQr, usedQr);

const states: fc.Arbitrary<SessionState> = fc.oneof(
  record({ status: fc.constant("init" as const), qr: noQr, lastError: fc.constant(null) }),
  record({
    status: fc.constant("qr_required" as const),
    qr: fc.oneof(generatedQr, expiredQr),
    lastError: fc.constant(null),
  }),
  record({
    status: fc.constant("connecting" as const),
    qr: fc.oneof(usedQr, noQr),
    lastError: fc.option(lastErrors),
  }),
  record({ status: fc.constant("connected" as const), qr: spentQr, lastError: fc.constant(null) }),
  record({
    status: fc.constantFrom("disconnected" as const, "error" as const),
    qr: spentQr,
    lastError: lastErrors,
  }),
);

/** Any session of this instance that the union holds. */
export function sessions(instanceId: string): fc.Arbitrary<Session> {
  return fc.tuple(
    record({
      phoneNumber: fc.option(fc.constantFrom("+5491155555555", "+1234567")),
      connectedAt: maybeInstant,
      disconnectedAt: maybeInstant,
      createdAt: instants,
      updatedAt: instants,
    }),
    states,
  ).map(([facts, state]) => ({ instanceId, ...facts, ...state }));
}

/** Saves a session as the product does: it is made first, unless it is there. */
export async function saveNew(
  store: SessionStore,
  session: Session,
  change: CredentialsChange,
  lease: Lease | null = null,
): Promise<void> {
  await store.findOrCreate(session.instanceId, session.createdAt);
  await store.save(session, change, lease);
}
