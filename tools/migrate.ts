/**
 * `deno task migrate`: brings the database to the schema of this version; with `--dry-run` it looks only, and
 * says what it would do. The service does the same when it starts.
 * @module
 */
import { describeMigration, migrate } from "../db/mod.ts";
import { EXIT, runTool } from "./database_tool.ts";

await runTool(async ({ databaseUrl }) => {
  const args = Deno.args.filter((argument) => argument !== "--");
  if (args.some((argument) => argument !== "--dry-run")) {
    console.error("The only argument is --dry-run.");
    return EXIT.usage;
  }
  const report = await migrate(databaseUrl, { dryRun: args.length > 0 });
  for (const line of describeMigration(report)) console.info(line);
  return EXIT.done;
});
