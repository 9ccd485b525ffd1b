/// <reference lib="deno.worker" />
/**
 * The product's own socket worker, with code in the place of Baileys that tries to get out of the sandbox. What it
 * reaches goes back as one of its login's keys.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";
import "../../whatsapp/worker/main.ts";

interface Locks {
  readonly locks: { request(name: string, work: () => void): unknown };
}

interface Insides {
  readonly internal: symbol;
  readonly [insides: symbol]: { core: unknown } | undefined;
}

async function attempt(work: () => unknown): Promise<string> {
  try {
    await work();
    return "reached";
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

async function probe(targets: Record<string, string>): Promise<Record<string, string>> {
  const connect = (target: string) => {
    const [hostname = "", port] = target.split(":");
    return Deno.connect({ hostname, port: Number(port) }).then((connection) => connection.close());
  };
  const attempts: Record<string, () => unknown> = {
    whatsapp: () => connect(targets.whatsapp ?? ""),
    database_port: () => connect(targets.database ?? ""),
    other_port: () => connect("127.0.0.1:9"),
    other_host: () => fetch("https://example.com/"),
    listen: () => Deno.listen({ port: 0 }).close(),
    resolve: () => Deno.resolveDns("example.com", "A"),
    read_file: () => Deno.readTextFileSync(targets.file ?? ""),
    read_own_source: () => Deno.readTextFileSync(new URL(import.meta.url)),
    read_dir: () => [...Deno.readDirSync(".")],
    write_file: () => Deno.writeTextFileSync(`${targets.file}.new`, "x"),
    run: () => new Deno.Command("true").outputSync(),
    ffi: () => Deno.dlopen("libc.so.6", {}),
    env_secret: () => Deno.env.get("CREDENTIALS_KEY"),
    env_path: () => Deno.env.get("PATH"),
    env_all: () => Deno.env.toObject(),
    sys_uptime: () => Deno.osUptime(),
    env_listed: () => Deno.env.get("NODE_ENV"),
    import_remote: () => import("https://example.com/module.ts"),
    import_file: () => import(targets.module ?? ""),
    node_fs: async () => (await import("node:fs")).readFileSync(targets.file ?? ""),
    node_child: async () => (await import("node:child_process")).execSync("true"),
    node_sqlite: async () => new (await import("node:sqlite")).DatabaseSync(targets.file ?? "").close(),
    sqlite_attach: () => inMemory(`attach '${targets.file}' as x`),
    sqlite_copy: () => inMemory(`vacuum into '${targets.file}.copy'`),
    unix_socket: async () => (await import("node:net")).connect("/run/docker.sock"),
    proxy: () => Deno.createHttpClient({ proxy: { url: "http://127.0.0.1:9" } }).close(),
    require_file: async () =>
      (await import("node:module")).createRequire(import.meta.url)(targets.file ?? ""),
    wider_worker: () => widerWorker(),
    any_worker: () => new Worker("data:text/javascript,", { type: "module" }).terminate(),
    node_worker: async () => {
      const { Worker } = await import("node:worker_threads");
      await new Worker("", { eval: true }).terminate();
    },
    worker_given_back: () => Object.setPrototypeOf(Worker, EventTarget),
    channel: () => new BroadcastChannel("x").close(),
    node_channel: async () => new (await import("node:worker_threads")).BroadcastChannel("x").close(),
    kill_self: async () => (await import("node:process")).default.kill(Number(targets.pid), 0),
    kill_self_by_name: async () => (await import("node:process")).kill(Number(targets.pid), 0),
    kill_self_by_deno: () => Deno.kill(Number(targets.pid), "SIGURG"),
    kill_given_back: async () => {
      Object.assign((await import("node:process")).default, { _kill: () => 0 });
    },
    catch_signal: () => Deno.addSignalListener("SIGUSR2", () => {}),
    node_catch_signal: async () => (await import("node:process")).default.on("SIGUSR2", () => {}),
    abort: async () => (await import("node:process")).default.abort(),
    change_directory: async () => (await import("node:process")).default.chdir("/"),
    caches: () => caches.open("x"),
    local_storage: () => localStorage.setItem("x", "x"),
    canvas: () => new OffscreenCanvas(1, 1),
    graphics: () => navigator.gpu.requestAdapter(),
    locks: () => (navigator as unknown as Locks).locks.request("x", () => {}),
    runtime: () => (Deno as unknown as Insides)[(Deno as unknown as Insides).internal]!.core,
    print: () => Deno.stdout.writeSync(new Uint8Array(1)),
    node_print: async () => (await import("node:fs")).writeSync(1, "x"),
    print_error: async () => (await import("node:fs")).writeSync(2, "x"),
    read_input: async () => (await import("node:fs")).readSync(0, new Uint8Array(1)),
    inspector: async () => (await import("node:inspector")).open(0),
    inspector_session: async () => new (await import("node:inspector")).Session().connect(),
    heap_snapshot: async () => (await import("node:v8")).writeHeapSnapshot("/tmp/x.heapsnapshot"),
    native_module: async () => (await import("node:process")).default.dlopen({ exports: {} }, "libc.so.6"),
    datagram: async () => {
      const { createSocket } = await import("node:dgram");
      // The refusal is thrown where nothing catches it.
      const refused = new Promise<never>((_, reject) =>
        self.addEventListener("error", ({ error }) => reject(error), { once: true })
      );
      const socket = createSocket("udp4");
      await Promise.race([refused, new Promise<void>((resolve) => socket.bind(0, () => resolve()))]);
    },
    engine_flags: async () => (await import("node:v8")).setFlagsFromString("--no-expose-gc"),
    shared_memory: () => new SharedArrayBuffer(1),
    ask_for_more: async () => {
      const { state } = await Deno.permissions.request({ name: "read" });
      if (state !== "granted") throw new Deno.errors.NotCapable();
    },
  };
  const found: Record<string, string> = {};
  for (const [name, work] of Object.entries(attempts)) found[name] = await attempt(work);
  return found;
}

/** A database that needs no file can still be told to open or write one. */
async function inMemory(statement: string): Promise<void> {
  const { DatabaseSync } = await import("node:sqlite");
  using database = new DatabaseSync(":memory:");
  database.exec(statement);
}

/** A worker of the worker's own cannot have more than its parent. */
function widerWorker(): void {
  const worker = new Worker(new URL(import.meta.url), {
    type: "module",
    deno: { permissions: { read: true } },
  });
  worker.terminate();
}

self.onmessage = async ({ data: command }: MessageEvent<Command>) => {
  if (command.type === "request" && command.request.type === "stop") {
    self.postMessage({ type: "answer", id: command.id, answer: { type: "stop" } });
  }
  if (command.type !== "open" || command.purpose.kind !== "login") return;
  const value = JSON.stringify(await probe(JSON.parse(command.purpose.credentials)));
  self.postMessage({
    type: "request",
    socket: command.socket,
    id: 1,
    request: { type: "save_keys", keys: [{ type: "probe", id: "found", value }] },
  });
};
