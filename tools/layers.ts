/**
 * `deno task layers`: imports point one way, and in no circle. A file that reaches where it must not is named, with the
 * import; so is a room that nobody has given a place.
 * @module
 */

/**
 * What each room may import besides itself: a room, a part of one (`sessions/ports`), or a file. A room is a folder or
 * a file at the top. `cluster/ports` stands for the file `cluster/ports.ts` as well as for a folder of that name.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "packages/contract": [],
  domain: ["packages/contract"],
  runtime: ["packages/contract", "domain"],
  sessions: ["packages/contract", "domain", "runtime"],
  cluster: ["packages/contract", "domain", "runtime", "sessions"],
  routes: ["packages/contract", "domain", "runtime", "sessions", "deno.json"],
  db: ["packages/contract", "domain", "runtime", "sessions/ports", "cluster/ports"],
  whatsapp: ["packages/contract", "domain", "runtime", "sessions/ports"],
  "config.ts": [],
  "output.ts": ["runtime"],
  "log.ts": ["config.ts", "runtime"],
  "permissions.ts": ["config.ts", "db", "whatsapp"],
  "listener.ts": ["packages/contract", "config.ts", "domain"],
  "service.ts": [
    "packages/contract",
    "config.ts",
    "cluster",
    "db",
    "domain",
    "routes",
    "runtime",
    "sessions",
    "whatsapp",
  ],
  "main.ts": [
    "config.ts",
    "db",
    "domain",
    "listener.ts",
    "log.ts",
    "output.ts",
    "runtime",
    "service.ts",
    "sessions/ports",
    "whatsapp",
  ],
  // These try the product out, or work on it.
  lab: [
    "packages/contract",
    "config.ts",
    "cluster",
    "db",
    "domain",
    "log.ts",
    "main.ts",
    "openapi.json",
    "permissions.ts",
    "routes",
    "runtime",
    "service.ts",
    "sessions",
    "tools",
    "whatsapp",
  ],
  tools: [
    "packages/contract",
    "cluster",
    "config.ts",
    "db",
    "domain",
    "lab",
    "permissions.ts",
    "routes",
    "runtime",
    "sessions/ports",
    "whatsapp",
  ],
  tests: [
    "packages/contract",
    "cluster",
    "config.ts",
    "db",
    "deno.json",
    "domain",
    "lab",
    "listener.ts",
    "log.ts",
    "main.ts",
    "openapi.json",
    "output.ts",
    "packaging",
    "permissions.ts",
    "routes",
    "runtime",
    "service.ts",
    "sessions",
    "tools",
    "whatsapp",
  ],
};

/** The packages of the workspace, as they are imported, and the rooms that they are. */
const WORKSPACE: Readonly<Record<string, string>> = { "@session-manager/contract": "packages/contract" };

/** Packages that belong to some rooms alone; whoever tries the product out may use them all. */
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
  "prom-client": (file) => file.startsWith("runtime/"),
};

/** Rooms that no package is kept from. */
const TRIES_OUT: ReadonlySet<string> = new Set(["lab", "tests", "tools"]);

/** Rooms that do without the outside, the time, chance and packages. */
const PURE: ReadonlySet<string> = new Set(["domain", "packages/contract"]);
const IMPURE =
  /\bDeno\.|\bDate\.now\b|\bnew Date\(\)|\bMath\.random\b|\bset(Timeout|Interval)\b|\bfetch\(|\bcrypto\b/;

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\b[^;"']*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)import\s*["']([^"']+)["']/g;

/** Every fault of one file, in one sentence each. */
export function faultsOf(file: string, source: string): string[] {
  const room = roomOf(file);
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${file}: no room called ${room} has a place in the order of imports`];
  const isTest = file.endsWith("_test.ts");
  const faults: string[] = [];
  if (PURE.has(room) && !isTest && IMPURE.test(source)) {
    faults.push(`${file}: ${room} asks for time, chance or the outside`);
  }
  for (const specifier of importsOf(source)) {
    const name = packageOf(specifier);
    if (!specifier.startsWith(".") && WORKSPACE[name] === undefined) {
      if (PURE.has(room) && !isTest) faults.push(`${file}: ${room} imports the package ${specifier}`);
      if (!TRIES_OUT.has(room) && PACKAGE_ROOMS[name]?.(file) === false) {
        faults.push(`${file}: ${specifier} belongs to another room`);
      }
      continue;
    }
    const target = WORKSPACE[name] ?? resolve(file, specifier);
    if (roomOf(target) !== room && !allowed.some((place) => isIn(target, place))) {
      faults.push(`${file}: ${room} must not import ${target} (${specifier})`);
    }
  }
  return faults;
}

/**
 * Files that import each other in a circle.
 * @param sources the source of each file by its path
 * @returns each circle, from a file back to itself
 */
export function circlesOf(sources: ReadonlyMap<string, string>): string[][] {
  const circles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    const source = sources.get(file);
    if (done.has(file) || source === undefined) return;
    const seenAt = path.indexOf(file);
    if (seenAt >= 0) return void circles.push([...path.slice(seenAt), file]);
    path.push(file);
    for (const specifier of importsOf(source)) if (specifier.startsWith(".")) visit(resolve(file, specifier));
    path.pop();
    done.add(file);
  };
  for (const file of sources.keys()) visit(file);
  return circles;
}

function* importsOf(source: string): Generator<string> {
  for (const [, statement, dynamic, bare] of source.matchAll(IMPORT)) {
    yield statement ?? dynamic ?? bare ?? "";
  }
}

/** The path that a relative specifier leads to. */
function resolve(file: string, specifier: string): string {
  return new URL(specifier, `file:///${file}`).pathname.slice(1);
}

/** `packages/contract` for what lies in it; else the first folder of a path, or the file itself at the top. */
function roomOf(path: string): string {
  const [first = path, second] = path.split("/");
  return first === "packages" && second !== undefined ? `${first}/${second}` : first;
}

function isIn(path: string, place: string): boolean {
  return path === place || path === `${place}.ts` || path.startsWith(`${place}/`);
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
  const files = new Map<string, string>();
  for await (const file of sources("")) files.set(file, await Deno.readTextFile(file));
  const faults = [...files].flatMap(([file, source]) => faultsOf(file, source));
  for (const circle of circlesOf(files)) faults.push(`a circle of imports: ${circle.join(" → ")}`);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.info(`Layers: ${files.size} files, every import points the right way, and none in a circle.`);
}
