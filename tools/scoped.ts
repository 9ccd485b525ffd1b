/**
 * `deno task migrate`, `rotate-credentials`, `backup`, `restore`, `move`: a tool of the database, with permission for
 * the database of the configuration, for what its arguments name, and for nothing else.
 * @module
 */
import { databasePermissionFlags } from "../permissions.ts";
import { placesBesides } from "./besides.ts";
import { launch } from "./launch.ts";

const [tool = "", ...args] = Deno.args;
await launch((config, root) => [
  "run",
  "--quiet",
  "--frozen",
  "--cached-only",
  `--config=${root}/deno.json`,
  ...databasePermissionFlags(config, placesBesides(tool, args)),
  `${root}/tools/${tool}.ts`,
  ...args,
], (root) => ["cache", "--quiet", "--frozen", `--config=${root}/deno.json`, `${root}/tools/${tool}.ts`]);
