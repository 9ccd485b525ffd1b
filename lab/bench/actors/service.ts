/**
 * The product as a process of its own, with the flags that `deno task start` gives it, keys for both kinds of
 * caller, and its rate limits in force but out of reach.
 * @module
 */
import { parseConfig } from "../../../config.ts";
import { permissionFlags } from "../../../permissions.ts";
import { startCommand } from "../../../tools/start.ts";
import { Child, type Weight } from "../lib/child.ts";
import type { Place } from "../lib/pinning.ts";
import type { GatewayProcess } from "./gateway.ts";

export const ROOT = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");
export const HUB_KEY = "bench-hub-key-0123456789";
export const INTERNAL_KEY = "bench-internal-key-0123456789";
/** The highest that the configuration takes. */
const OUT_OF_REACH = "1000000";

export interface ServiceOptions {
  /** What it is told of its database, by variable. */
  readonly database: Readonly<Record<string, string>>;
  readonly gateway: Pick<GatewayProcess, "url" | "rootKey">;
  readonly workers?: number;
  readonly place?: Place;
}

/** The environment of a service under measurement. */
export function environmentOf({ database, gateway, workers }: ServiceOptions, port: number) {
  return {
    ...database,
    PORT: String(port),
    HUB_API_KEY: HUB_KEY,
    INTERNAL_API_KEY: INTERNAL_KEY,
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    RATE_LIMIT_KEY: OUT_OF_REACH,
    RATE_LIMIT_READ: OUT_OF_REACH,
    RATE_LIMIT_QR: OUT_OF_REACH,
    ...(workers === undefined ? {} : { SOCKET_WORKERS: String(workers) }),
  };
}

export class Service implements AsyncDisposable {
  readonly child: Child;
  readonly origin: string;

  private constructor(child: Child, port: number) {
    this.child = child;
    this.origin = `http://127.0.0.1:${port}`;
  }

  /** Starts it; resolves with its first answer. */
  static async start(options: ServiceOptions): Promise<Service> {
    const port = freePort();
    const environment = environmentOf(options, port);
    const flags = permissionFlags(parseConfig(environment, navigator.hardwareConcurrency), ROOT);
    const child = new Child({
      command: [Deno.execPath(), ...startCommand(ROOT, flags)],
      place: options.place ?? "anywhere",
      environment,
    });
    const service = new Service(child, port);
    await child.until(() => service.answers());
    return service;
  }

  answers(): Promise<boolean> {
    return answers(this.origin);
  }

  /** Asks for a session's QR. */
  async qr(instanceId: string): Promise<string> {
    const response = await fetch(`${this.origin}${qrPath(instanceId)}`, {
      method: "POST",
      headers: { authorization: `Bearer ${HUB_KEY}` },
    });
    const body = await response.json();
    if (!response.ok) throw new Error(`POST /qr: ${JSON.stringify(body)}`);
    return body.qr_string;
  }

  /** Waits until so many sessions are connected, by the service's own account. */
  async untilConnected(count: number): Promise<void> {
    await this.child.until(async () => await this.#connected() === count);
  }

  async #connected(): Promise<number> {
    const response = await fetch(`${this.origin}/metrics`, {
      headers: { authorization: `Bearer ${INTERNAL_KEY}` },
    });
    const [, count] = /^session_manager_sessions\{status="connected"\} (\d+)$/m.exec(await response.text()) ??
      [];
    return Number(count ?? 0);
  }

  weigh(): Promise<Weight> {
    return this.child.weigh();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.child.end();
  }
}

export function sessionPath(instanceId: string): string {
  return `/api/session-manager/sessions/${instanceId}`;
}

export function qrPath(instanceId: string): string {
  return `${sessionPath(instanceId)}/qr`;
}

/** How large an answer's body is, in bytes. */
export async function sizeOf(origin: string, path: string, method: "GET" | "POST"): Promise<number> {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: { authorization: `Bearer ${HUB_KEY}` },
  });
  return (await response.bytes()).length;
}

/** Whether anything answers there. */
export async function answers(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/healthz`);
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
