/**
 * Stands where `main.ts` stands, with its flags, and tries everything that it does not need. What it finds is
 * printed as JSON.
 * @module
 */
const targets: Record<string, string> = JSON.parse(Deno.args[0] ?? "{}");

async function attempt(work: () => unknown): Promise<string> {
  try {
    await work();
    return "reached";
  } catch (error) {
    const { name, code } = error as { name: string; code?: string };
    return name === "NotCapable" ? name : code ?? name; // Node's functions say EPERM or EACCES
  }
}

function connect(place: string): Promise<void> {
  const { hostname, port } = new URL(`tcp://${place}`);
  return Deno.connect({ hostname, port: Number(port) }).then((connection) => connection.close());
}

function listen(place: string): void {
  const { hostname, port } = new URL(`tcp://${place}`);
  Deno.listen({ hostname, port: Number(port || "0") }).close();
}

/** Computed, so that nobody follows the import before it is asked for. */
function load(specifier: string): Promise<unknown> {
  return import(`${specifier}`);
}

/** A worker that tries the same imports; the permissions are the caller's. */
async function importsOfWorker(permissions: Deno.PermissionOptionsObject): Promise<void> {
  const source = `
    const outcomes = [];
    for (const specifier of ${JSON.stringify(REMOTE)}) {
      try { await import(specifier); outcomes.push("reached"); } catch { outcomes.push("refused"); }
    }
    postMessage(outcomes);`;
  const worker = new Worker(`data:text/javascript,${encodeURIComponent(source)}`, {
    type: "module",
    deno: { permissions },
  });
  const outcomes = await new Promise<string[]>((resolve) => worker.onmessage = ({ data }) => resolve(data));
  worker.terminate();
  if (!outcomes.includes("reached")) throw new Deno.errors.NotCapable();
}

const REMOTE = [
  "https://modules.example/x.ts",
  "jsr:@std/unheard-of",
  "npm:unheard-of-session-manager@1.0.0",
];

const needed: Record<string, () => unknown> = {
  own_address: () => listen(targets.own!),
  database: () => connect(targets.database!),
  whatsapp: () => connect(targets.whatsapp!),
  data_read: () => Deno.readTextFileSync(`${targets.data}/file`),
  data_write: () => Deno.writeTextFileSync(`${targets.data}/new`, "x"),
  env_listed: () => Deno.env.get("CREDENTIALS_KEY"),
  sys_uptime: () => Deno.osUptime(),
};

const unneeded: Record<string, () => unknown> = {
  other_port: () => connect(targets.otherPort!),
  other_host: () => connect(`127.0.0.2:${new URL(`tcp://${targets.database}`).port}`),
  other_name: () => connect(`localhost:${new URL(`tcp://${targets.database}`).port}`),
  metadata_service: () => fetch("http://169.254.169.254/latest/meta-data/"),
  node_net: async () => {
    const { connect: dial } = await import("node:net");
    const { port } = new URL(`tcp://${targets.otherPort}`);
    await new Promise((resolve, reject) =>
      dial(Number(port), "127.0.0.1", () => resolve(null)).on("error", reject)
    );
  },
  other_listener: () => listen("127.0.0.1:0"),
  every_interface: () => listen("0.0.0.0:0"),
  resolve: () => Deno.resolveDns("example.com", "A"),
  read_passwd: () => Deno.readTextFileSync("/etc/passwd"),
  read_own_source: () => Deno.readTextFileSync(`${targets.root}/main.ts`),
  read_above_data: () => [...Deno.readDirSync(`${targets.data}/..`)],
  read_around: () => Deno.readTextFileSync(`${targets.data}/../outside`),
  read_process: () => Deno.readTextFileSync("/proc/self/environ"),
  write_outside: () => Deno.writeTextFileSync(`${targets.data}/../outside`, "x"),
  write_own_source: () => Deno.writeTextFileSync(`${targets.root}/whatsapp/worker/main.ts`, "x"),
  link_outside: () => Deno.symlinkSync("/etc/passwd", `${targets.data}/link`),
  fetch_file: () => fetch("file:///etc/passwd"),
  node_fs: async () => (await import("node:fs")).readFileSync("/etc/passwd"),
  node_child: async () => (await import("node:child_process")).execFileSync("true"),
  node_sqlite: async () => new (await import("node:sqlite")).DatabaseSync(`${targets.data}/../x.db`).close(),
  attach: async () => {
    const { DatabaseSync } = await import("node:sqlite");
    const database = new DatabaseSync(":memory:");
    try {
      database.exec(`attach '${targets.data}/../x.db' as x`);
    } finally {
      database.close();
    }
  },
  run: () => new Deno.Command("true").outputSync(),
  run_itself: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  kill: () => Deno.kill(1, "SIGCONT"),
  ffi: () => Deno.dlopen("libc.so.6", {}),
  env_path: () => Deno.env.get("PATH"),
  env_cloud: () => Deno.env.get("AWS_SECRET_ACCESS_KEY"),
  env_all: () => Deno.env.toObject(),
  env_set: () => Deno.env.set("LD_PRELOAD", "x"),
  sys_user: () => Deno.uid(),
  sys_interfaces: () => Deno.networkInterfaces(),
  wider_worker: () =>
    new Worker("data:text/javascript,", { type: "module", deno: { permissions: { run: true } } }).terminate(),
  ask_for_more: async () => {
    const { state } = await Deno.permissions.request({ name: "read" });
    if (state !== "granted") throw new Deno.errors.NotCapable();
  },
  import_https: () => load(REMOTE[0]!),
  import_jsr: () => load(REMOTE[1]!),
  import_npm: () => load(REMOTE[2]!),
  import_in_worker: () => importsOfWorker({ net: [targets.whatsapp!], import: false }),
};

const found: Record<string, Record<string, string>> = { needed: {}, unneeded: {} };
for (const [kind, attempts] of Object.entries({ needed, unneeded })) {
  for (const [name, work] of Object.entries(attempts)) found[kind]![name] = await attempt(work);
}
console.info(JSON.stringify(found));
Deno.exit(0);
