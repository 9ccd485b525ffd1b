/**
 * `deno task move -- --to URL`: moves everything from the database of the configuration to another, of whatever kind.
 * `--undo` makes a database that was moved away usable again.
 * @module
 */
import { isFile } from "../db/files.ts";
import type { Config } from "../config.ts";
import { keyFilePath, parseDatabaseUrl, whyUnavailable } from "../db/mod.ts";
import { move, type MoveReport, TargetUnavailableError, undoMove } from "../db/moving/mod.ts";
import { countAlive, WAITING } from "./alive.ts";
import { describeKeys } from "./at_hand.ts";
import { MOVE_TO, moveArguments } from "./besides.ts";
import { EXIT, runTool } from "./database_tool.ts";

await runTool(async (config) => {
  const asked = moveArguments(Deno.args, Deno.env.get(MOVE_TO));
  if (asked === null) {
    console.error(
      `The argument is --to with the URL of the new database (or ${MOVE_TO} holds it), or --undo.`,
    );
    return EXIT.usage;
  }
  if (asked.kind === "undo") return await undo(config);
  const { url } = asked;
  try {
    const report = await move({
      from: config.databaseUrl,
      to: url,
      countAlive: (look) => countAlive(look, { ...WAITING, onWait }),
      onTable: (table, rows) => console.info(`${table}: ${rows === 1 ? "1 row" : `${rows} rows`}`),
    });
    for (const line of await describe(config, url, report)) console.info(line);
    return EXIT.done;
  } catch (error) {
    if (!(error instanceof TargetUnavailableError)) throw error;
    const why = whyUnavailable(error);
    console.error(
      `The database of --to ${
        why === null ? "cannot be reached" : `cannot be used for now, since ${why}`
      }; ` +
        "the same command begins anew.",
    );
    return EXIT.unavailable;
  }
});

function onWait(presences: number): void {
  console.info(
    `${presences === 1 ? "A replica is" : `${presences} replicas are`} listed: watching for up to 10 s.`,
  );
}

async function undo({ databaseUrl }: Config): Promise<number> {
  const place = await undoMove(databaseUrl);
  console.info(
    `This database can be used again, as it was when it was moved to ${place}. Never start a service on that one as ` +
      "well: each login would be used twice. What has happened there since is not here.",
  );
  return EXIT.done;
}

/** What is left for the operator to do. */
async function describe(config: Config, url: string, { place, ownColumns }: MoveReport): Promise<string[]> {
  const from = parseDatabaseUrl(config.databaseUrl);
  const to = parseDatabaseUrl(url);
  const keys = await describeKeys(config);
  const lines = [`Everything is in ${place} now, read back and the same. ${keys.lines.join(" ")}`];
  if (ownColumns.length > 0) lines.push(`Columns of your own were left behind: ${ownColumns.join(", ")}.`);
  if (from.dialect === "sqlite" && config.credentialsKey === null) {
    lines.push("Start the service with these:", "  DATABASE_URL: the URL that --to was given");
    lines.push(`  ${keyFor(keyFilePath(from.path), to)}`);
  } else {
    lines.push(
      "Start the service with the URL that --to was given as DATABASE_URL, and CREDENTIALS_KEY as it is.",
    );
  }
  const old = from.dialect === "sqlite" ? from.path : "The database that it was in";
  lines.push(
    `${old} is as it was, but for a mark: a start on it is refused. What happens from now on is not in it. Keep it ` +
      `until the service has run on the new one for a while, and its key for good.`,
  );
  return lines;
}

/** How the service comes by the key that has been in a file. Without telling it. */
function keyFor(file: string, to: ReturnType<typeof parseDatabaseUrl>): string {
  if (!isFile(file)) {
    return "CREDENTIALS_KEY: a new one (`openssl rand -base64 32`), for nothing is sealed yet";
  }
  return to.dialect === "mysql"
    ? `CREDENTIALS_KEY="$(cat ${quote(file)})"`
    : `the key file beside it: (umask 077 && cp ${quote(file)} ${quote(keyFilePath(to.path))})`;
}

/** For a shell. */
function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
