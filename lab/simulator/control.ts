import { type Context, Hono } from "hono";
import type { FaultHandle, FaultRule } from "./faults.ts";
import type { Gateway, Phone } from "./types.ts";
import type { DropStyle } from "./endings.ts";

/** A running control API. */
export interface ControlServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  stop(): Promise<void>;
}

/** What the caller asked for cannot be done; told with this status. */
class ControlError extends Error {
  readonly status: 400 | 404;

  constructor(status: 400 | 404, message: string) {
    super(message);
    this.status = status;
  }
}

const DROP_STYLES: readonly unknown[] = ["terminate", "close", "xmlstreamend"];

/**
 * Serves a gateway's control API on 127.0.0.1.
 * @throws when the port is taken
 */
export function startControl(gateway: Gateway, port: number): ControlServer {
  const app = controlApp(gateway);
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, app.fetch);
  return { url: `http://127.0.0.1:${server.addr.port}`, stop: () => server.shutdown() };
}

/** The routes, for a server or for a test that calls them directly. */
export function controlApp(gateway: Gateway): Hono {
  const app = new Hono();
  const faults: { id: number; rule: FaultRule; handle: FaultHandle }[] = [];
  let lastFault = 0;

  app.get("/", ({ json }) =>
    json({
      url: gateway.url,
      root_key: gateway.rootKey,
      listening: gateway.listening,
      connections: gateway.connections.length,
    }));
  app.get("/connections", ({ json }) => json(gateway.connections));
  app.get("/devices", ({ json }) => json(gateway.devices()));
  app.get("/stats", ({ json }) => json(gateway.stats));

  app.get("/phones", ({ json }) => json(gateway.phones()));
  app.post("/phones", async (c) => {
    const { number, requires_passkey: requiresPasskey } = await readBody(c);
    if (number !== undefined && typeof number !== "string") throw new ControlError(400, "number is a string");
    if (requiresPasskey !== undefined && typeof requiresPasskey !== "boolean") {
      throw new ControlError(400, "requires_passkey is a boolean");
    }
    const phone = gateway.phone(number);
    if (requiresPasskey !== undefined) phone.requiresPasskey = requiresPasskey;
    return c.json(phone, 201);
  });
  app.post("/phones/:number/scan", async (c) => {
    const { qr_string: qrString } = await readBody(c);
    if (typeof qrString !== "string") throw new ControlError(400, "qr_string is missing");
    const phone = knownPhone(gateway, c.req.param("number"));
    return c.json(await phone.scan(qrString).catch(refuse));
  });
  app.post("/phones/:number/unlink", async (c) => {
    const { device } = await readBody(c);
    if (device !== undefined && typeof device !== "string") throw new ControlError(400, "device is a jid");
    const phone = knownPhone(gateway, c.req.param("number"));
    await phone.unlink(device).catch(refuse);
    return c.json(phone);
  });

  app.get(
    "/faults",
    ({ json }) => json(faults.map(({ id, rule, handle }) => ({ id, rule, used: handle.used }))),
  );
  app.post("/faults", async (c) => {
    const rule = await readBody(c) as unknown as FaultRule;
    const fault = { id: ++lastFault, rule, handle: gateway.faults.add(rule) };
    faults.push(fault);
    return c.json({ id: fault.id }, 201);
  });
  app.delete("/faults", (c) => {
    gateway.faults.clear();
    faults.length = 0;
    return c.body(null, 204);
  });
  app.delete("/faults/:id", (c) => {
    const index = faults.findIndex(({ id }) => String(id) === c.req.param("id"));
    if (index < 0) throw new ControlError(404, "there is no such fault");
    for (const { handle } of faults.splice(index, 1)) handle.remove();
    return c.body(null, 204);
  });

  app.post("/drop", async (c) => {
    const body = await readBody(c);
    const how = body.how ?? "terminate";
    if (!DROP_STYLES.includes(how)) throw new ControlError(400, "how is terminate, close or xmlstreamend");
    const style = how as DropStyle;
    const affected = body.target === undefined ? gateway.dropAll(style) : gateway.drop(target(body), style);
    return c.json({ affected });
  });
  app.post("/stream-error", async (c) => {
    const body = await readBody(c);
    const { code, child, attrs } = body;
    if (code !== undefined && typeof code !== "number" && typeof code !== "string") {
      throw new ControlError(400, "code is a number");
    }
    if (child !== undefined && typeof child !== "string") throw new ControlError(400, "child is a tag");
    return c.json({ affected: gateway.streamError(target(body), { code, child, attrs: attributes(attrs) }) });
  });
  app.post("/silence", async (c) => c.json({ affected: gateway.silence(target(await readBody(c))) }));
  app.post("/garble", async (c) => c.json({ affected: gateway.garble(target(await readBody(c))) }));
  app.post("/down", async (c) => {
    await gateway.goDown();
    return c.json({ listening: gateway.listening });
  });
  app.post("/up", async (c) => {
    await gateway.comeBack();
    return c.json({ listening: gateway.listening });
  });

  app.notFound((c) => c.json({ error: "there is no such route" }, 404));
  app.onError((error, c) => {
    if (error instanceof ControlError) return c.json({ error: error.message }, error.status);
    if (error instanceof TypeError) return c.json({ error: error.message }, 400);
    return c.json({ error: "the gateway failed" }, 500);
  });
  return app;
}

function knownPhone(gateway: Gateway, number: string): Phone {
  const phone = gateway.phones().find((known) => known.number === number);
  if (phone === undefined) throw new ControlError(404, `there is no phone ${number}`);
  return phone;
}

function refuse(error: unknown): never {
  throw new ControlError(400, error instanceof Error ? error.message : String(error));
}

async function readBody(c: Context): Promise<Record<string, unknown>> {
  const text = await c.req.text();
  if (text === "") return {};
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ControlError(400, "the body is no JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new ControlError(400, "the body is a JSON object");
  }
  return body as Record<string, unknown>;
}

function target(body: Record<string, unknown>): string | number {
  if (typeof body.target === "string" || typeof body.target === "number") return body.target;
  throw new ControlError(400, "target is a phone number, a device jid or a connection id");
}

function attributes(value: unknown): Record<string, string> | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ControlError(400, "attrs is an object of strings");
  }
  return Object.fromEntries(Object.entries(value).map(([name, text]) => [name, String(text)]));
}
