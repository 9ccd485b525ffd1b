/**
 * The database under the chaos: SQLite in a folder of its own, or a server of its own, of MariaDB or MySQL, that may be
 * stopped and killed while the service runs.
 * @module
 */
import { generateCredentialKey } from "../../db/mod.ts";
import { CREDENTIALS, LINKS, LOGIN_KIND, SESSIONS } from "../../db/schema.ts";
import { query } from "../databases/helpers.ts";
import { TestServer } from "../databases/server.ts";
import { ownServerProgram } from "../databases/server_program.ts";
import { breakGround, type DialectName } from "./ground.ts";
import { faultsOfRows } from "./rows.ts";

/** A database that a drill may break. */
export interface DrillDatabase extends AsyncDisposable {
  readonly dialect: DialectName;
  readonly environment: Readonly<Record<string, string>>;
  /** Takes it away for a moment; null where it cannot be taken away. */
  readonly shake: ((violently: boolean, downMs: number) => Promise<void>) | null;
  /** Which instances have a link, and what it is good for: `working` or `suspended`. */
  standings(): Promise<Map<string, string>>;
  /** What is wrong with the rows; for the time when no service is running. */
  inspect(): Promise<string[]>;
}

/** A new, empty database; null when there is no server program for it on this machine. */
export async function prepareDatabase(dialect: DialectName): Promise<DrillDatabase | null> {
  return dialect === "sqlite" ? await prepareSqlite() : await prepareMysql();
}

async function prepareSqlite(): Promise<DrillDatabase> {
  const ground = (await breakGround("sqlite"))!;
  return {
    dialect: "sqlite",
    environment: ground.environment,
    shake: null,
    standings: () => standings(ground.environment.DATABASE_URL!),
    inspect: () => ground.inspect(),
    [Symbol.asyncDispose]: () => ground[Symbol.asyncDispose](),
  };
}

async function prepareMysql(): Promise<DrillDatabase | null> {
  const program = await ownServerProgram();
  if (program === undefined) return null;
  const server = await TestServer.start(program);
  const { url, name } = await server.database();
  return {
    dialect: "mysql",
    environment: { DATABASE_URL: url, CREDENTIALS_KEY: generateCredentialKey() },
    shake: async (violently, downMs) => {
      await (violently ? server.kill9() : server.stop());
      await new Promise((resolve) => setTimeout(resolve, downMs));
      await server.restart();
    },
    standings: () => standings(url),
    inspect: async () => {
      await using session = await server.session(name);
      return faultsOfRows({
        sessions: await session.run(`select * from ${SESSIONS}`),
        links: await session.run(`select instance_id, standing from ${LINKS}`),
        logins: await session.run(
          `select instance_id from ${CREDENTIALS} where kind = '${LOGIN_KIND}' and sealed is not null`,
        ),
      });
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function standings(url: string): Promise<Map<string, string>> {
  const rows = await query(url, `select instance_id, standing from ${LINKS}`);
  return new Map(rows.map(({ instance_id, standing }) => [String(instance_id), String(standing)]));
}
