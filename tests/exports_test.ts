/**
 * Every export of the product's rooms says what it is. What it says is for a reader to judge.
 */
import assert from "node:assert/strict";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The product's rooms, and the files at the top. */
const ROOMS = ["cluster", "db", "domain", "packages", "routes", "runtime", "sessions", "tools", "whatsapp"];
/** Rooms and files that are not documented throughout yet. */
const LEFT_OUT = [
  "routes",
  "cluster/command_inbox.ts",
  "db/leases.ts",
  "sessions/ports/ownership.ts",
];

/** What begins an export of a name of its own; `export { … } from` passes on what is documented elsewhere. */
const EXPORT =
  /^export (?:default )?(?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type(?! \{)|const|let|enum|namespace)\b/;

/** The lines that export a name and follow no JSDoc; one of the module's own, which a blank line follows, is none. */
function undocumentedIn(text: string): string[] {
  const lines = text.split("\n");
  return lines.filter((line, at) => {
    if (!EXPORT.test(line)) return false;
    let above = at - 1;
    while (lines[above]?.startsWith("// deno-lint-ignore")) above--;
    return !lines[above]?.endsWith("*/");
  });
}

function* modulesIn(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${root}/${folder}`)) {
    const path = folder === "." ? name : `${folder}/${name}`;
    if (isDirectory && folder !== ".") yield* modulesIn(path);
    if (!isDirectory && name.endsWith(".ts")) yield path;
  }
}

Deno.test("every export of the product's rooms has a JSDoc", () => {
  const modules = [".", ...ROOMS].flatMap((room) => [...modulesIn(room)]);
  const isLeftOut = (path: string) => LEFT_OUT.some((left) => path === left || path.startsWith(`${left}/`));
  const checked = modules.filter((path) => !isLeftOut(path));
  assert.ok(checked.length > 150, `${checked.length} modules found`);
  assert.deepEqual(
    checked.flatMap((path) =>
      undocumentedIn(Deno.readTextFileSync(`${root}/${path}`)).map((line) => `${path}: ${line}`)
    ),
    [],
  );
});

Deno.test("an export of any kind without a JSDoc is found, and one that is passed on is not", () => {
  const text = `/**
 * The module.
 * @module
 */

export class A {}
export const B = 1;
/** C. */
export const C = 2;
/**
 * D.
 */
// deno-lint-ignore require-await
export async function D() {}

export type { E } from "./e.ts";
export { F } from "./f.ts";
export type { F } from "./f.ts";
// G.
export interface G {}
export async function* H() {}
export default function I() {}
const J = 3;
export type K = 4;
`;
  assert.deepEqual(undocumentedIn(text).map((line) => /\b([A-K])\b/.exec(line)?.[1]), [
    "A",
    "B",
    "G",
    "H",
    "I",
    "K",
  ]);
});

Deno.test("every folder of tests belongs to a task of deno.json", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  const commands = Object.entries(tasks as Record<string, { command?: string }>)
    .flatMap(([name, { command }]) => name.startsWith("test:") ? command?.split(" ") ?? [] : []);
  for (const { name, isDirectory } of Deno.readDirSync(new URL(".", import.meta.url))) {
    if (isDirectory) assert.ok(commands.includes(`tests/${name}`), `tests/${name} is run by no task`);
  }
});
