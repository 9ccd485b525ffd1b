import assert from "node:assert/strict";
import type { SocketListener } from "../../whatsapp/socket_layer.ts";
import { systemClock } from "../../whatsapp/clock.ts";
import { hostAndPort } from "../../whatsapp/wall.ts";
import { WorkerPool } from "../../whatsapp/worker_pool.ts";

const NOBODY: SocketListener = {
  qr: () => {},
  paired: () => Promise.resolve(),
  passkeyDemanded: () => {},
  identified: () => {},
  connected: () => {},
  closed: () => {},
  load: () => Promise.resolve(new Map()),
  save: () => Promise.resolve(),
};

Deno.test("a socket worker reaches WhatsApp's host, and no file, secret, database or other host", async () => {
  const whatsapp = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const database = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const file = await Deno.makeTempFile();
  const url = `ws://127.0.0.1:${whatsapp.addr.port}/ws/chat`;
  const pool = new WorkerPool({
    size: 1,
    settings: { url, keepAliveMs: 1_000, connectMs: 1_000, silenceMs: 1_000 },
    clock: systemClock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    script: new URL("./wall_probe.ts", import.meta.url),
    watch: { pulseMs: 86_400_000 },
  });
  try {
    pool.start();
    const report = Promise.withResolvers<string>();
    const accepted = whatsapp.accept().then((connection) => connection.close());
    const credentials = JSON.stringify({
      whatsapp: hostAndPort(url),
      database: `127.0.0.1:${database.addr.port}`,
      file,
      module: new URL("../../main.ts", import.meta.url).href,
    });
    pool.open({ kind: "login", credentials }, {
      ...NOBODY,
      save: ([key]) => Promise.resolve(report.resolve(key?.value ?? "")),
    });
    const found: Record<string, string> = JSON.parse(await report.promise);
    await accepted;
    const { whatsapp: reached, env_listed, import_remote, import_file, ...others } = found;
    assert.deepEqual({ reached, env_listed }, { reached: "reached", env_listed: "reached" });
    // A refused import is reported as a module that cannot be loaded.
    assert.deepEqual({ import_remote, import_file }, {
      import_remote: "TypeError",
      import_file: "TypeError",
    });
    const refused = Object.fromEntries(Object.keys(others).map((what) => [what, "NotCapable"]));
    assert.equal(Object.keys(others).length, 20);
    assert.deepEqual(others, refused);
  } finally {
    await pool.stop();
    whatsapp.close();
    database.close();
    await Deno.remove(file);
  }
});
