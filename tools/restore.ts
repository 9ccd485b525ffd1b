/**
 * `deno task restore -- FILE`: puts a copy that `deno task backup` has made where `DATABASE_URL` says and nothing is.
 * With `--aside` a database that is there is moved aside first.
 * @module
 */
import { parseDatabaseUrl } from "../db/mod.ts";
import { restore } from "../db/snapshot.ts";
import { describeKeys } from "./at_hand.ts";
import { ASIDE, fileIn } from "./besides.ts";
import { EXIT, runTool } from "./database_tool.ts";

await runTool(async (config) => {
  const file = fileIn(Deno.args, [ASIDE]);
  if (file === null) {
    console.error(`The arguments are the file that \`deno task backup\` has made, and ${ASIDE}.`);
    return EXIT.usage;
  }
  const { sessions, logins, aside } = await restore(config.databaseUrl, file, {
    aside: Deno.args.includes(ASIDE),
  });
  if (aside !== null) console.info(`${aside}: what was there.`);
  const target = parseDatabaseUrl(config.databaseUrl);
  const place = target.dialect === "sqlite" ? target.path : "";
  console.info(`${place}: ${sessions} sessions, ${logins} of them with a login.`);
  const keys = await describeKeys(config);
  for (const line of keys.lines) console.info(line);
  return keys.fit ? EXIT.done : EXIT.data;
});
