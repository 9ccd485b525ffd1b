/**
 * A client of the service, as the Central Hub is one: plain HTTP, nothing else known.
 * @module
 */
import type { DisconnectReason } from "@session-manager/contract";
import { checkAnswer } from "./document.ts";
import type { QrView, SessionView } from "@session-manager/contract";

/** An answer, with its body already read. */
export interface Answer<T = unknown> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: T;
}

interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string };
}

/** How often a QR is asked for, and after which answers. */
const ATTEMPTS = 10;
const WORTH_REPEATING: ReadonlySet<string> = new Set([
  "429 TOO_MANY_REQUESTS",
  "500 QR_GENERATION_FAILED",
]);

export class Hub {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param origin `http://127.0.0.1:8080` */
  constructor(origin: string, key?: string) {
    this.#base = `${origin}/api/session-manager`;
    this.#headers = key === undefined ? {} : { authorization: `Bearer ${key}` };
  }

  /** The session. @throws when the answer is not 200 */
  async session(instanceId: string): Promise<SessionView> {
    return good(await this.get(instanceId)) as SessionView;
  }

  /** A valid QR. @throws when the answer is not 200 */
  async qr(instanceId: string): Promise<QrView> {
    return good(await this.requestQr(instanceId)) as QrView;
  }

  /**
   * A valid QR, asked for again as a Hub does where there was none to be had in time: how busy the machine is must
   * not matter to who only wants a session linked.
   * @throws when the answer is another one, or is the same ten times
   */
  async obtainQr(instanceId: string): Promise<QrView> {
    for (let attempt = 1;; attempt++) {
      const answer = await this.requestQr(instanceId);
      if (attempt === ATTEMPTS || !WORTH_REPEATING.has(fault(answer))) return good(answer) as QrView;
      const seconds = Number(answer.headers.get("retry-after") ?? 1);
      await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    }
  }

  get(instanceId: string): Promise<Answer> {
    return this.call("GET", `/sessions/${encodeURIComponent(instanceId)}`);
  }

  requestQr(instanceId: string): Promise<Answer> {
    return this.call("POST", `/sessions/${encodeURIComponent(instanceId)}/qr`);
  }

  connected(instanceId: unknown, phoneNumber: unknown): Promise<Answer> {
    return this.event("connected", { instance_id: instanceId, phone_number: phoneNumber });
  }

  disconnected(instanceId: unknown, reason: DisconnectReason | unknown): Promise<Answer> {
    return this.event("disconnected", { instance_id: instanceId, reason });
  }

  event(name: "connected" | "disconnected", body: unknown): Promise<Answer> {
    return this.call("POST", `/internal/events/${name}`, JSON.stringify(body), {
      "content-type": "application/json",
    });
  }

  async call(
    method: string,
    path: string,
    body?: BodyInit,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.#base}${path}`, {
      method,
      headers: { ...this.#headers, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    const parsed = text === "" ? null : JSON.parse(text);
    checkAnswer(method, new URL(response.url).pathname, response.status, parsed);
    return { status: response.status, headers: response.headers, body: parsed };
  }
}

/** The code of an error answer, with its HTTP status: `404 SESSION_NOT_FOUND`. */
export function fault({ status, body }: Answer): string {
  return `${status} ${(body as Partial<ErrorBody>).error?.code ?? "OK"}`;
}

function good({ status, body }: Answer): unknown {
  if (status !== 200) throw new Error(`The service answered ${status}: ${JSON.stringify(body)}`);
  return body;
}
