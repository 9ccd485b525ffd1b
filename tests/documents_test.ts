/**
 * The documents against the code: links lead somewhere, commands exist, and every list of names is complete.
 */
import assert from "node:assert/strict";
import {
  DISCONNECT_REASONS,
  ERRORS,
  FAULT_CODES,
  QR_STATUSES,
  SESSION_STATUSES,
} from "@session-manager/contract";
import { CONFIG_VARIABLES, parseConfig } from "../config.ts";
import project from "../deno.json" with { type: "json" };

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);

/** What is neither written by hand nor in the repository. */
const LEFT_OUT = new Set([".git", "node_modules", "data", "dist", "coverage"]);

/** Every file under a folder whose name fits, by its path from the root. */
function filesIn(folder: string, fits: (name: string) => boolean): string[] {
  return [...Deno.readDirSync(`${root}/${folder}`)].flatMap(({ name, isDirectory }) => {
    const path = folder === "." ? name : `${folder}/${name}`;
    if (isDirectory) return LEFT_OUT.has(name) ? [] : filesIn(path, fits);
    return fits(name) ? [path] : [];
  });
}

const documents = filesIn(".", (name) => name.endsWith(".md"));

// ── Links ────────────────────────────────────────────────────────────────────────────────────────

/** A document without its blocks of code. */
const prose = (text: string) => text.replaceAll(/^( *)(```|~~~).*\n[\s\S]*?^\1\2.*$/gm, "");

/** What headings can be linked by, as GitHub makes it of their text; a repeated one gets a number. */
function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set([...prose(text).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, heading]) => {
    const plain = heading!.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "").replaceAll(" ", "-");
    const before = seen.get(anchor) ?? 0;
    seen.set(anchor, before + 1);
    return before === 0 ? anchor : `${anchor}-${before}`;
  }));
}

/** Where the links of a document lead that stay in the repository. */
function linksOf(text: string): string[] {
  const plain = prose(text).replaceAll(/`[^`]*`/g, "");
  return [...plain.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g)].map(([, target]) => target!)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

/** What is wrong with a link of a document; null when nothing is. */
function linkFault(document: string, link: string): string | null {
  const target = new URL(link, `file://${root}/${document}`);
  const path = decodeURIComponent(target.pathname);
  if (!path.startsWith(`${root}/`)) return `${document}: ${link} leads out of the repository`;
  try {
    if (Deno.statSync(path).isDirectory) {
      return target.hash === "" ? null : `${document}: ${link} is a folder`;
    }
  } catch {
    return `${document}: ${link} leads nowhere`;
  }
  const anchor = decodeURIComponent(target.hash.slice(1));
  if (anchor === "" || anchorsOf(Deno.readTextFileSync(path)).has(anchor)) return null;
  return `${document}: ${link} names no heading`;
}

Deno.test("links of the documents lead to a file that is there, and to one of its headings", () => {
  const links = documents.flatMap((document) => linksOf(read(document)).map((link) => ({ document, link })));
  assert.ok(links.length > 50, `${links.length} links found`);
  assert.deepEqual(links.flatMap(({ document, link }) => linkFault(document, link) ?? []), []);
});

Deno.test("a link that leads nowhere, to no heading or out of the repository is a fault", () => {
  assert.deepEqual(linksOf("[a](b.md#c) `[d](e.md)` ![f](g.svg)\n```\n[h](i.md)\n```\n[j](https://k.l)"), [
    "b.md#c",
    "g.svg",
  ]);
  assert.deepEqual([...anchorsOf("# One: `two`, three\n## Four\n```\n# five\n```\n## Four\n")], [
    "one-two-three",
    "four",
    "four-1",
  ]);
  assert.equal(linkFault("README.md", "config.ts"), null);
  for (const link of ["docs/none.md", "#no-such-heading", "../elsewhere.md", "docs#folder"]) {
    assert.notEqual(linkFault("README.md", link), null, link);
  }
});

Deno.test("the index of the documents names every one of them", () => {
  const index = new Set(linksOf(read("docs/README.md")).map((link) => link.replace(/#.*/, "")));
  const missing = filesIn("docs", (name) => name.endsWith(".md")).map((path) => path.slice("docs/".length))
    .filter((path) => path !== "README.md" && !index.has(path));
  assert.deepEqual(missing, []);
});

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────

type Task = string | { readonly command?: string; readonly dependencies?: readonly string[] };
const tasks: Readonly<Record<string, Task>> = project.tasks;

/** The tasks that a text names, those of `npx -y deno@… task` included. */
const tasksIn = (text: string) =>
  [...text.matchAll(/\bdeno(?:@[\d.]+)? task ([a-z][\w:-]*\w)/g)].map(([, task]) => task!);

Deno.test("every task that a document names is there", () => {
  const files = [
    ...documents,
    ...filesIn("packaging", () => true),
    ".env.example",
    "compose.yaml",
    "Dockerfile",
  ];
  const named = files.flatMap((file) => tasksIn(read(file)).map((task) => ({ file, task })));
  assert.ok(named.length > 50, `${named.length} tasks found`);
  assert.deepEqual(named.filter(({ task }) => !Object.hasOwn(tasks, task)), []);
});

Deno.test("every task is in a document, unless it is a part of another", () => {
  const parts = new Set(
    Object.values(tasks).flatMap((task) =>
      typeof task === "string" ? tasksIn(task) : [...task.dependencies ?? [], ...tasksIn(task.command ?? "")]
    ),
  );
  const named = new Set(documents.flatMap((document) => tasksIn(read(document))));
  assert.deepEqual(Object.keys(tasks).filter((task) => !parts.has(task) && !named.has(task)), []);
});

// ── Names ────────────────────────────────────────────────────────────────────────────────────────

/** The names in the first column of the table that follows a heading. */
function firstColumn(text: string, heading: string): string[] {
  const section = text.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`));
  assert.ok(section, heading);
  const rows = section.split("\n").filter((line) => line.startsWith("|")).slice(2);
  return rows.flatMap((row) => [...row.split(" | ")[0]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

/** The variables of an environment file, commented out or not. */
const variablesIn = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
  );

Deno.test(".env.example has every variable of the configuration, commented out, with its default", () => {
  const text = read(".env.example");
  const variables = variablesIn(text);
  assert.deepEqual(Object.keys(variables).sort(), [...CONFIG_VARIABLES].sort());
  assert.deepEqual(text.match(/^[A-Z].*/gm), null, "nothing is set");
  assert.deepEqual(parseConfig(variables, 4), parseConfig({}, 4));
  // Every default that the configuration can name is there, and not left to be the default of an empty value.
  const empty = Object.keys(variables).filter((name) => variables[name] === "").sort();
  assert.deepEqual(empty, [
    "CREDENTIALS_KEY",
    "HUB_API_KEY",
    "INTERNAL_API_KEY",
    "SOCKET_WORKERS",
    "WHATSAPP_ROOT_KEY",
    "WHATSAPP_VERSION",
  ]);
});

Deno.test("the README's table of the configuration has every variable, and no other", () => {
  assert.deepEqual(firstColumn(read("README.md"), "Configuration").sort(), [...CONFIG_VARIABLES].sort());
});

Deno.test("the guide for Hub developers explains every status and every error", () => {
  const guide = read("docs/hub-guide.md");
  assert.deepEqual(firstColumn(guide, "What each status means"), [...SESSION_STATUSES]);
  assert.deepEqual(firstColumn(guide, "What each `qr_status` means"), [...QR_STATUSES]);
  assert.deepEqual(firstColumn(guide, "Errors by code").sort(), Object.keys(ERRORS).sort());
  for (const [code, { status }] of Object.entries(ERRORS)) {
    assert.match(guide, new RegExp(`^\\| \`${code}\` +\\| ${status} `, "m"), code);
  }
});

Deno.test("the Spanish guide knows the same statuses, and no other errors", () => {
  const guide = read("docs/hub-guide.es.md");
  assert.deepEqual(firstColumn(guide, "Vincular un número"), [...SESSION_STATUSES]);
  assert.deepEqual(
    [...guide.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, name]) => name!).filter((name) =>
      !Object.hasOwn(ERRORS, name) && !CONFIG_VARIABLES.some((variable) => variable === name)
    ),
    [],
  );
});

Deno.test("the operator's guide says for every last_error_code what to do", () => {
  const codes = firstColumn(read("docs/operating.md"), "By `last_error_code`");
  assert.deepEqual(codes.sort(), [...DISCONNECT_REASONS, ...FAULT_CODES].sort());
});

Deno.test("the operator's guide explains every event that the log warns of", () => {
  const product = ["cluster", "db", "routes", "runtime", "sessions", "whatsapp"]
    .flatMap((room) => filesIn(room, (name) => name.endsWith(".ts"))).concat("main.ts", "service.ts");
  const warned = product.flatMap((file) =>
    [...read(file).matchAll(/\blog\.(?:warn|error)\(\{\s*event: "(\w+)"/g)].map(([, event]) => event!)
  );
  assert.ok(warned.length > 15, `${warned.length} events found`);
  const explained = new Set(firstColumn(read("docs/operating.md"), "By event in the log"));
  assert.deepEqual([...new Set(warned)].filter((event) => !explained.has(event)), []);
});

Deno.test("the contract's names are those that the client froze", () => {
  const contract = read("docs/contract/contrato-tecnico.md");
  const namesOf = (enumeration: string) => {
    const [, body] = contract.match(new RegExp(`^enum ${enumeration} \\{$([^}]*)`, "m")) ?? [];
    return [...body!.matchAll(/= '(\w+)'/g)].map(([, name]) => name);
  };
  assert.deepEqual(namesOf("SessionStatus"), [...SESSION_STATUSES]);
  assert.deepEqual(namesOf("QRStatus"), [...QR_STATUSES]);
});
