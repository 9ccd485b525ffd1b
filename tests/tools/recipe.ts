/**
 * The commands of a document, run as an operator runs them: pasted as they are, with the variables that the document
 * names.
 * @module
 */
import type { Environment } from "../../lab/process.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** What a command did. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Recipe {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** @param path below the project's folder */
  static async read(path: string): Promise<Recipe> {
    return new Recipe(await Deno.readTextFile(`${root}/${path}`));
  }

  /** The names in the table of variables. */
  get variables(): string[] {
    return [...this.#text.matchAll(/^\| `([A-Z_]+)` +\|/gm)].map(([, name]) => name!);
  }

  /**
   * The fenced blocks of a part, in their order.
   * @param headings from the outermost on, as they are written
   * @throws {Error} when there is no such part
   */
  blocks(language: string, ...headings: readonly string[]): string[] {
    let part = `\n${this.#text}\n`;
    headings.forEach((heading, depth) => {
      const marks = "#".repeat(depth + 2);
      const start = part.indexOf(`\n${marks} ${heading}\n`);
      if (start < 0) throw new Error(`The document has no ${marks} ${heading}.`);
      const rest = part.slice(start + `\n${marks} ${heading}`.length);
      const end = rest.search(new RegExp(`^#{2,${depth + 2}} `, "m"));
      part = end < 0 ? rest : rest.slice(0, end);
    });
    // One within a list is indented.
    return [...part.matchAll(/^( *)```(\w+)\n(.*?)^\1```$/gms)]
      .filter(([, , name]) => name === language)
      .map(([, indent = "", , block = ""]) => block.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
  }
}

/** Pastes a block into a shell in the project's folder, which knows nothing but this environment. */
export async function paste(block: string, environment: Environment): Promise<Ran> {
  const deno = Deno.execPath().slice(0, Deno.execPath().lastIndexOf("/"));
  const home = Object.fromEntries(
    ["HOME", "DENO_DIR", "XDG_CACHE_HOME"].flatMap((name) => {
      const value = Deno.env.get(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const { code, stdout, stderr } = await new Deno.Command("sh", {
    args: ["-u", "-c", block],
    cwd: root,
    clearEnv: true,
    env: { ...home, PATH: `${deno}:${Deno.env.get("PATH")}`, NO_COLOR: "1", ...environment },
    stdin: "null",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}
