import assert from "node:assert/strict";
import { announcesBody, readBody } from "../../../routes/pipeline/body.ts";
import { isRefusal } from "../../../routes/pipeline/refusal.ts";

const BOUNDS = { bytes: 8, ms: 60_000 };

/** What reading a body comes to: its text, or the refusal's code and sentence. */
async function outcome(
  chunks: readonly string[],
  { headers = {}, ms = BOUNDS.ms, end = "close" }: {
    headers?: HeadersInit;
    ms?: number;
    end?: "close" | "break" | "never";
  } = {},
) {
  let isCancelled = false;
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk));
      if (end === "close") controller.close();
      else if (end === "break") controller.error(new Error("reset"));
    },
    cancel: () => void (isCancelled = true),
  });
  const read = await readBody({ body, headers: new Headers(headers) }, { ...BOUNDS, ms });
  const said = isRefusal(read) ? `${read.code}: ${read.message}` : new TextDecoder().decode(read);
  return { said, isCancelled };
}

Deno.test("readBody() reads a body whole when it is within its bounds", async () => {
  assert.deepEqual(await outcome(["1234", "5678"]), { said: "12345678", isCancelled: false });
  assert.deepEqual(await outcome([]), { said: "", isCancelled: false });
  assert.deepEqual(await readBody({ body: null, headers: new Headers() }, BOUNDS), new Uint8Array());
});

Deno.test("readBody() refuses a body that is too large, announced or not, and reads no more of it", async () => {
  const said = "PAYLOAD_TOO_LARGE: The body is larger than 64 KiB.";
  assert.deepEqual(await outcome(["1234", "56789"], { end: "never" }), { said, isCancelled: true });
  const headers = { "content-length": "9" };
  assert.deepEqual(await outcome([], { headers, end: "never" }), { said, isCancelled: true });
});

Deno.test("readBody() refuses a body that does not arrive in time, and reads no more of it", async () => {
  const said = "INVALID_REQUEST: The body did not arrive in time.";
  assert.deepEqual(await outcome(["1234"], { ms: 1, end: "never" }), { said, isCancelled: true });
});

Deno.test("readBody() refuses a body that breaks off", async () => {
  assert.equal((await outcome(["1234"], { end: "break" })).said, "INVALID_REQUEST: The body broke off.");
});

Deno.test("announcesBody() is true when headers announce a body and the method can have one", () => {
  const announces = (method: string, headers: HeadersInit) =>
    announcesBody({ method, headers: new Headers(headers) });
  for (const method of ["POST", "PUT", "PATCH", "DELETE"]) {
    assert.equal(announces(method, { "content-length": "1" }), true);
    assert.equal(announces(method, { "transfer-encoding": "chunked" }), true);
    assert.equal(announces(method, { "content-length": "0" }), false);
    assert.equal(announces(method, {}), false);
  }
  for (const method of ["GET", "HEAD", "OPTIONS", "TRACE", "post"]) {
    assert.equal(announces(method, { "content-length": "1" }), false);
  }
});
