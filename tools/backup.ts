/**
 * `deno task backup -- FILE`: a consistent copy of the embedded database, while the service runs. The key is not in
 * it, and is kept apart.
 * @module
 */
import { keyFilePath, parseDatabaseUrl } from "../db/mod.ts";
import { backUp } from "../db/snapshot.ts";
import { EXIT, runTool } from "./database_tool.ts";
import { fileIn } from "./besides.ts";

await runTool(async ({ databaseUrl, credentialsKey }) => {
  const file = fileIn(Deno.args);
  if (file === null) {
    console.error("The one argument is the file that the copy is to be in.");
    return EXIT.usage;
  }
  const { bytes, sessions, logins } = await backUp(databaseUrl, file);
  console.info(`${file}: ${bytes} bytes, ${sessions} sessions, ${logins} of them with a login.`);
  const target = parseDatabaseUrl(databaseUrl);
  const key = credentialsKey === null && target.dialect === "sqlite"
    ? `the key file, ${keyFilePath(target.path)},`
    : "CREDENTIALS_KEY";
  console.info(
    `The key is not in it: keep ${key} in another place. Without it every number has to be scanned again.`,
  );
  return EXIT.done;
});
