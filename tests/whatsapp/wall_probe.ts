/// <reference lib="deno.worker" />
/**
 * Stands where Baileys stands, and tries to get out. What it finds goes back as one of its login's keys.
 * @module
 */
import type { Command } from "../../whatsapp/protocol.ts";

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
    wider_worker: () => widerWorker(),
    ask_for_more: async () => {
      const { state } = await Deno.permissions.request({ name: "read" });
      if (state !== "granted") throw new Deno.errors.NotCapable();
    },
  };
  const found: Record<string, string> = {};
  for (const [name, work] of Object.entries(attempts)) found[name] = await attempt(work);
  return found;
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
  if (command.type === "stop") self.postMessage({ type: "stopped" });
  if (command.type !== "open" || command.purpose.kind !== "login") return;
  const value = JSON.stringify(await probe(JSON.parse(command.purpose.credentials)));
  self.postMessage({
    type: "save",
    socket: command.socket,
    request: 1,
    keys: [{ type: "probe", id: "found", value }],
  });
};
