import assert from "node:assert/strict";
import { AddressUnusableError, listen } from "../listener.ts";

const EVERYWHERE = { host: "0.0.0.0", port: 0 };
/** For clients that never come to an end of what they say. */
const BRISK = { headersMs: 300, requestMs: 600, idleMs: 2_000 };

/** Sends these bytes and no more. @returns everything until the server ends the connection */
async function say(port: number, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  const heard: Uint8Array[] = [];
  const buffer = new Uint8Array(4_096);
  try {
    for (let size; (size = await connection.read(buffer)) !== null;) heard.push(buffer.slice(0, size));
  } catch {
    // Reset, which is an end too.
  }
  return new TextDecoder().decode(await new Blob(heard as BlobPart[]).arrayBuffer());
}

const echo = async (request: Request) => new Response(await request.text(), { headers: { "x-a": "b" } });

Deno.test("listen() cuts off clients that are slow, say too much, or say nothing, when others than this machine can connect", async () => {
  const listener = await listen(EVERYWHERE, echo, BRISK);
  const start = "POST / HTTP/1.1\r\nHost: hub\r\n";
  const patient = await listen(EVERYWHERE, echo);
  const [slowHeaders, slowBody, endlessBody, hugeHeaders, silent] = await Promise.all([
    say(listener.port, start),
    say(listener.port, `${start}Content-Length: 10\r\n\r\nabc`),
    say(listener.port, `${start}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`),
    say(patient.port, `${start}X-Huge: ${"x".repeat(20_000)}\r\n\r\n`),
    say(listener.port, ""),
  ]);
  assert.match(slowHeaders, /^HTTP\/1\.1 408 /);
  assert.match(slowBody, /^HTTP\/1\.1 408 /);
  assert.match(endlessBody, /^HTTP\/1\.1 408 /);
  assert.match(hugeHeaders, /^HTTP\/1\.1 431 /);
  assert.match(silent, /^HTTP\/1\.1 408 /);
  await Promise.all([listener.shutdown(), patient.shutdown()]);
});

for (const host of ["127.0.0.1", "0.0.0.0"]) {
  Deno.test(`listen() answers what it is given, and finishes it when it is shut down, on ${host}`, async () => {
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<void>();
    const listener = await listen({ host, port: 0 }, async (request) => {
      if (request.method === "POST") return await echo(request);
      asked.resolve();
      await answer.promise;
      return Response.json({ done: true }, { status: 201 });
    });
    const origin = `http://127.0.0.1:${listener.port}/`;
    const echoed = await fetch(origin, { method: "POST", body: "hola" });
    assert.equal(await echoed.text(), "hola");
    assert.equal(echoed.headers.get("x-a"), "b");
    const request = fetch(origin);
    await asked.promise;
    const shutdown = listener.shutdown();
    answer.resolve();
    const late = await request;
    assert.equal(late.status, 201);
    assert.deepEqual(await late.json(), { done: true });
    await shutdown;
    await assert.rejects(fetch(origin), TypeError);
  });

  Deno.test(`listen() says so when the address is taken, on ${host}`, async () => {
    const first = await listen({ host, port: 0 }, echo);
    await assert.rejects(listen({ host, port: first.port }, echo), AddressUnusableError);
    await first.shutdown();
  });
}
