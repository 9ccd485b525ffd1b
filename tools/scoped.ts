/**
 * `deno task migrate`, `rotate-credentials`, `backup`, `restore`, `move`: a tool of the database, with permission for
 * the database of the configuration, for what its arguments name, and for nothing else.
 * @module
 */
import { databasePermissionFlags } from "../permissions.ts";
import { askedOf, MOVE_TO } from "./besides.ts";
import { launch } from "./launch.ts";

const [tool = "", ...given] = Deno.args;
await launch((config, root) => {
  const { args, besides, environment } = askedOf(
    tool,
    given,
    tool === "move" ? Deno.env.get(MOVE_TO) : undefined,
  );
  for (const [name, value] of Object.entries(environment)) Deno.env.set(name, value);
  return [
    "run",
    "--quiet",
    "--frozen",
    "--cached-only",
    `--config=${root}/deno.json`,
    ...databasePermissionFlags(config, besides),
    `${root}/tools/${tool}.ts`,
    ...args,
  ];
}, (root) => ["cache", "--quiet", "--frozen", `--config=${root}/deno.json`, `${root}/tools/${tool}.ts`]);
