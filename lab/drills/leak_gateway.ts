/**
 * The gateway as a process of its own, so that what it remembers weighs on nobody's scales; reached over its
 * control API.
 * @module
 */
import type { Peer } from "./chaos_stage.ts";

const MAIN = new URL("../simulator/main.ts", import.meta.url);

export class GatewayProcess implements AsyncDisposable {
  readonly peer: Peer;
  readonly #control: string;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, lines: readonly string[]) {
    const told = (name: string) => lines.find((line) => line.startsWith(name))!.slice(name.length).trim();
    this.#child = child;
    this.#control = told("control");
    this.peer = { url: told("WhatsApp"), rootKey: told("root key") };
  }

  static async start(): Promise<GatewayProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--quiet",
        "--allow-net=127.0.0.1",
        "--allow-env",
        "--allow-sys",
        "--allow-read",
        MAIN.pathname,
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let text = "";
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    while (!/root key.*\n/.test(text)) {
      const { value, done } = await reader.read();
      if (done) throw new Error(`The gateway ended before it listened: ${text}`);
      text += value;
    }
    await reader.cancel();
    return new GatewayProcess(child, text.split("\n"));
  }

  /** Makes a phone. @returns its number */
  async phone(): Promise<string> {
    return (await this.#call("POST", "/phones", {}) as { number: string }).number;
  }

  async scan(phone: string, qrString: string): Promise<string> {
    const result = await this.#call("POST", `/phones/${phone}/scan`, { qr_string: qrString });
    return (result as { outcome: string }).outcome;
  }

  async unlink(phone: string): Promise<void> {
    await this.#call("POST", `/phones/${phone}/unlink`, {});
  }

  async drop(phone: string): Promise<void> {
    await this.#call("POST", "/drop", { target: phone });
  }

  async restart(phone: string): Promise<void> {
    await this.#call("POST", "/stream-error", { target: phone, code: 515 });
  }

  async refuseOnce(): Promise<void> {
    await this.#call("POST", "/faults", { do: "refuse", times: 1 });
  }

  async clearFaults(): Promise<void> {
    await this.#call("DELETE", "/faults");
  }

  /** How many connections are open. */
  async connections(): Promise<number> {
    return (await this.#call("GET", "/connections") as unknown[]).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }

  async #call(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#control}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`The gateway answered ${method} ${path} with ${response.status}: ${text}`);
    }
    return text === "" ? null : JSON.parse(text);
  }
}
