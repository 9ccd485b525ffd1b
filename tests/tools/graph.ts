/**
 * What a module leads to.
 * @module
 */
import assert from "node:assert/strict";
import { run } from "../../lab/programs.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

interface Module {
  readonly specifier: string;
  readonly error?: string;
  /** `code` is absent where only types are imported, of which nothing is left at run time. */
  readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
}

/** The modules of this repository, and the packages, that a module leads to at run time. */
export async function graphOf(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const { out } = await run(Deno.execPath(), ["info", "--json", "--frozen", `${root}/${entry}`]);
  const { modules, redirects } = JSON.parse(out) as { modules: Module[]; redirects: Record<string, string> };
  assert.deepEqual(modules.filter(({ error }) => error), [], entry);
  const known = new Map(modules.map((module) => [module.specifier, module]));
  const reached = new Set([`file://${root}/${entry}`]);
  for (const specifier of reached) {
    for (const { code } of known.get(specifier)?.dependencies ?? []) {
      if (code !== undefined) reached.add(redirects[code.specifier] ?? code.specifier);
    }
  }
  const below = (prefix: string) =>
    [...reached].filter((specifier) => specifier.startsWith(prefix)).map((specifier) =>
      specifier.slice(prefix.length)
    );
  return { files: below(`file://${root}/`), packages: below("npm:/") };
}
