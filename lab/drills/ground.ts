/**
 * The database under a drill: a new one of either dialect, and what a kill has left in it.
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { generateCredentialKey } from "../../db/mod.ts";
import { CREDENTIALS, LINKS, LOGIN_KIND, SESSIONS } from "../../db/schema.ts";
import { testServer } from "../databases/server.ts";
import { faultsOfRows, type Remains, type Row } from "./rows.ts";

/** The dialects that a drill knows. */
export type DialectName = "sqlite" | "mysql";

/** A database of a drill's own. */
export interface Ground extends AsyncDisposable {
  readonly dialect: DialectName;
  /** What the service has to be told of it. */
  readonly environment: Readonly<Record<string, string>>;
  /** What is wrong with the rows, one sentence each; for the time when no service is running. */
  inspect(): Promise<string[]>;
}

const QUERIES = {
  sessions: `select * from ${SESSIONS}`,
  links: `select instance_id, standing from ${LINKS}`,
  logins: `select instance_id from ${CREDENTIALS} where kind = '${LOGIN_KIND}' and sealed is not null`,
} as const;

/** A new, empty database; null when there is no server for it on this machine. */
export async function breakGround(dialect: DialectName): Promise<Ground | null> {
  switch (dialect) {
    case "sqlite":
      return await breakSqlite();
    case "mysql":
      return await breakMysql();
    default:
      return dialect satisfies never;
  }
}

async function breakSqlite(): Promise<Ground> {
  const folder = await Deno.makeTempDir({ prefix: "drill-" });
  const file = `${folder}/data/drill.db`;
  return {
    dialect: "sqlite",
    environment: { DATABASE_URL: `sqlite:${file}` },
    inspect: async () => {
      // A copy: the first to open the file itself would tidy up what the service has to cope with.
      const copy = await Deno.makeTempDir({ dir: folder });
      try {
        for (const suffix of ["", "-wal"]) await copyIfThere(`${file}${suffix}`, `${copy}/drill.db${suffix}`);
        return inspectSqlite(`${copy}/drill.db`);
      } finally {
        await Deno.remove(copy, { recursive: true });
      }
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

async function copyIfThere(from: string, to: string): Promise<void> {
  try {
    await Deno.copyFile(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function inspectSqlite(path: string): string[] {
  const database = new DatabaseSync(path);
  try {
    const all = (query: string) => database.prepare(query).all() as Row[];
    const integrity = all("pragma integrity_check").map((row) => String(row.integrity_check));
    const damage = integrity.filter((line) => line !== "ok").map((line) => `The file is damaged: ${line}`);
    const remains: Remains = {
      sessions: all(QUERIES.sessions),
      links: all(QUERIES.links),
      logins: all(QUERIES.logins),
    };
    return [...damage, ...faultsOfRows(remains)];
  } finally {
    database.close();
  }
}

async function breakMysql(): Promise<Ground | null> {
  const server = await testServer();
  if (server === undefined) return null;
  const { url, name, drop } = await server.database();
  return {
    dialect: "mysql",
    environment: { DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() },
    inspect: async () => {
      await using session = await server.session(name);
      // One snapshot for all three: what the dead service had sent may still be on its way into the tables.
      await session.run("set transaction isolation level repeatable read");
      await session.run("start transaction with consistent snapshot");
      return faultsOfRows({
        sessions: await session.run(QUERIES.sessions),
        links: await session.run(QUERIES.links),
        logins: await session.run(QUERIES.logins),
      });
    },
    [Symbol.asyncDispose]: drop,
  };
}
