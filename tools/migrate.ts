/**
 * `deno task migrate`: brings the database to the schema of this version; the service does the same when it starts.
 * With `--dry-run` it looks only, and says what it would do and everything that is in the way. With `--alter` it alters
 * a table of the client's own that does not fit, which the service never does.
 * @module
 */
import { describeMigration, isRefused, migrate } from "../db/mod.ts";
import { EXIT, runTool } from "./database_tool.ts";

await runTool(async ({ databaseUrl }) => {
  const args = Deno.args.filter((argument) => argument !== "--");
  if (args.some((argument) => argument !== "--dry-run" && argument !== "--alter")) {
    console.error("The arguments are --dry-run and --alter.");
    return EXIT.usage;
  }
  const report = await migrate(databaseUrl, {
    dryRun: args.includes("--dry-run"),
    alter: args.includes("--alter"),
  });
  for (const line of describeMigration(report)) console.info(line);
  return isRefused(report) ? EXIT.config : EXIT.done;
});
