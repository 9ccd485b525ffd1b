import assert from "node:assert/strict";
import { startGateway } from "../../lab/simulator/mod.ts";
import { hubOf, serviceProcess } from "../../lab/process.ts";

/** The names that an OTLP message in protobuf holds: they are plain UTF-8 in it. */
function holds(messages: readonly Uint8Array[], name: string): boolean {
  return messages.some((message) => new TextDecoder("latin1").decode(message).includes(name));
}

Deno.test("with OTEL_DENO a request is traced from HTTP to the socket and the database", async () => {
  const messages: Uint8Array[] = [];
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  const wanted = ["session qr_requested", "socket pair", "store save", "store findOrCreate", "/qr"];
  await using collector = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      messages.push(await request.bytes());
      if (wanted.every((name) => holds(messages, name))) resolve();
      return new Response(null, { status: 200 });
    },
  );
  await using gateway = await startGateway();
  const folder = await Deno.makeTempDir();
  try {
    await using service = serviceProcess({
      PORT: "0",
      DATABASE_URL: `sqlite:${folder}/sessions.db`,
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
      OTEL_DENO: "true",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector.addr.port}`,
    });
    const { qr_string } = await (await hubOf(service)).qr("traced");
    await complete;
    assert.ok(!holds(messages, qr_string.slice(30, 90)), "a trace holds a QR");
    service.kill("SIGTERM");
    await service.exit();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
