import assert from "node:assert/strict";
import type { LogFields } from "../../runtime/log.ts";
import { systemClock } from "../../runtime/clock.ts";
import { hostAndPort } from "../../whatsapp/sandbox.ts";
import { WorkerPool } from "../../whatsapp/worker_pool.ts";

/** What is answered otherwise than by a permission that is not there. */
const ANSWERS: Readonly<Record<string, string>> = {
  whatsapp: "reached",
  env_listed: "reached",
  // Of the whole process, without a permission, and out of our reach; see docs/architecture.md, "The sandbox".
  engine_flags: "reached",
  // A thread's own, as its memory and its share of the processor are.
  shared_memory: "reached",
  // A refused import is reported as a module that cannot be loaded.
  import_remote: "TypeError",
  import_file: "TypeError",
  sqlite_attach: "Error",
  sqlite_copy: "Error",
  // Not there for a worker, or no longer.
  abort: "TypeError",
  change_directory: "TypeError",
  caches: "TypeError",
  local_storage: "ReferenceError",
  canvas: "TypeError",
  graphics: "TypeError",
  locks: "TypeError",
  runtime: "TypeError",
  // What was taken cannot be given back.
  worker_given_back: "TypeError",
  kill_given_back: "TypeError",
  // Closed.
  print: "BadResource",
  node_print: "Error",
  print_error: "Error",
  read_input: "Error",
};

Deno.test("workerPermissions() lets a worker reach WhatsApp's host, and no file, secret, database or other host", async () => {
  const whatsapp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const database = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const file = await Deno.makeTempFile();
  const url = `ws://127.0.0.1:${whatsapp.addr.port}/ws/chat`;
  const pool = new WorkerPool({
    size: 1,
    settings: { url, keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock: systemClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    script: new URL("./sandbox_probe.ts", import.meta.url),
    watch: { heartbeatMs: 86_400_000 },
  });
  try {
    pool.start();
    const report = Promise.withResolvers<string>();
    const accepted = whatsapp.accept().then((connection) => connection.close());
    const credentials = JSON.stringify({
      whatsapp: hostAndPort(url),
      database: `127.0.0.1:${database.addr.port}`,
      file,
      pid: String(Deno.pid),
      module: new URL("../../main.ts", import.meta.url).href,
    });
    pool.open({ kind: "login", credentials }, {
      onEvent: () => {},
      onRequest: (request) => {
        if (request.type === "save_keys") report.resolve(request.keys[0]?.value ?? "");
        return Promise.resolve(new Map());
      },
    });
    const found: Record<string, string> = JSON.parse(await report.promise);
    await accepted;
    const refused = Object.fromEntries(
      Object.keys(found).filter((what) => !(what in ANSWERS)).map((what) => [what, "NotCapable"]),
    );
    assert.equal(Object.keys(refused).length, 37);
    assert.deepEqual(found, { ...refused, ...ANSWERS });
  } finally {
    await pool.stop();
    whatsapp.close();
    database.close();
    await Deno.remove(file);
  }
});

Deno.test("WorkerPool loses a worker and nothing else when the worker ends the process", async () => {
  const process = 'import process from "node:process";';
  const ways = [
    "Deno.exit(7)",
    `${process}process.exit(7)`,
    `${process}process.reallyExit(7)`,
    "self.close()",
  ];
  for (const way of ways) {
    const lost = Promise.withResolvers<LogFields>();
    const note = (fields: LogFields) => void (fields.event === "worker_lost" && lost.resolve(fields));
    const pool = new WorkerPool({
      size: 1,
      settings: { url: "ws://127.0.0.1:1/", keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
      clock: systemClock,
      log: { debug: note, info: note, warn: note, error: note },
      script: new URL(`data:text/javascript,${encodeURIComponent(way)}`),
    });
    try {
      pool.start();
      assert.equal((await lost.promise).end, "crashed", way);
    } finally {
      await pool.stop();
    }
  }
});
