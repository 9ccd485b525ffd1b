/**
 * `deno task layers`: imports point one way. A room that reaches where it must not is named, with the
 * file and the import.
 * @module
 */

/** What each room may import besides itself. Rooms that wire or try out the others may import them all. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  db: ["domain"],
  whatsapp: ["domain"],
  replicas: ["domain", "whatsapp"],
  routes: ["deno.json", "domain"],
  "config.ts": [],
  observe: ["domain"],
  "log.ts": ["config.ts", "observe"],
  "output.ts": ["observe"],
  "permissions.ts": ["config.ts", "db", "whatsapp"],
  "service.ts": ["config.ts", "db", "domain", "observe", "replicas", "routes", "whatsapp"],
  "listener.ts": ["config.ts", "domain"],
  "main.ts": [
    "config.ts",
    "listener.ts",
    "log.ts",
    "output.ts",
    "service.ts",
    "db",
    "domain",
    "observe",
    "whatsapp",
  ],
};

/** Packages that belong to some rooms alone. */
const PACKAGE_ROOMS: Readonly<Record<string, (file: string) => boolean>> = {
  "@whiskeysockets/baileys": (file) => file === "whatsapp/worker/baileys.ts",
  kysely: (file) => file.startsWith("db/"),
  mysql2: (file) => file.startsWith("db/"),
  hono: (file) => file.startsWith("routes/"),
  "@hono/node-server": (file) => file === "listener.ts",
  "@hono/zod-openapi": (file) => file.startsWith("routes/"),
  "whatsapp-rust-bridge": (file) => file.startsWith("whatsapp/worker/"),
  qrcode: (file) => file.startsWith("whatsapp/worker/"),
  pino: (file) => file === "log.ts",
  "prom-client": (file) => file.startsWith("observe/"),
};

/** What `domain/` must do without: the outside, the time, chance. */
const IMPURE =
  /\bDeno\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(Timeout|Interval)\b|\bfetch\(|\bcrypto\b/;

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s*["']([^"']+)["']/g;

/** Every fault of one file, in one sentence each. */
export function faultsOf(file: string, source: string): string[] {
  const room = roomOf(file);
  const allowed = MAY_IMPORT[room];
  const faults: string[] = [];
  if (room === "domain" && IMPURE.test(source)) {
    faults.push(`${file}: domain/ asks for time, chance or the outside`);
  }
  for (const [, statement, dynamic, bare] of source.matchAll(IMPORT)) {
    const specifier = statement ?? dynamic ?? bare ?? "";
    if (!specifier.startsWith(".")) {
      const name = packageOf(specifier);
      if (room === "domain") faults.push(`${file}: domain/ imports the package ${specifier}`);
      if (allowed !== undefined && PACKAGE_ROOMS[name]?.(file) === false) {
        faults.push(`${file}: ${specifier} belongs to another room`);
      }
      continue;
    }
    const target = roomOf(new URL(specifier, `file:///${file}`).pathname.slice(1));
    if (allowed !== undefined && target !== room && !allowed.includes(target)) {
      faults.push(`${file}: ${room} must not import ${target} (${specifier})`);
    }
  }
  return faults;
}

/** The first folder of a path, or the file itself when it lies at the top. */
function roomOf(path: string): string {
  return path.split("/", 1)[0] ?? path;
}

/** `hono` for `hono/body-limit`, `@scope/name` for `@scope/name/part`. */
function packageOf(specifier: string): string {
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder || ".")) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory && !name.startsWith(".")) yield* sources(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

if (import.meta.main) {
  let files = 0;
  const faults: string[] = [];
  for await (const file of sources("")) {
    files++;
    faults.push(...faultsOf(file, await Deno.readTextFile(file)));
  }
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.info(`Layers: ${files} files, every import points the right way.`);
}
