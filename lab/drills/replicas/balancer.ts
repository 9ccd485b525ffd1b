/**
 * A load balancer as operators have one: turns over what `/readyz` says is ready, a second try elsewhere when a
 * replica cannot be reached at all, and an end to waiting.
 * @module
 */
import { pause } from "../random.ts";

/** In milliseconds. */
const CHECK = { everyMs: 500, timeoutMs: 5_000 };
/** How long a call may take, in milliseconds. */
const CALL_MS = 30_000;

export class Balancer {
  readonly #origins: readonly string[];
  readonly #ready = new Set<string>();
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #checking: Promise<void>;
  #next = 0;
  #stopped = false;

  constructor(origins: readonly string[]) {
    this.#origins = origins;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#pass(request),
    );
    this.#checking = this.#check();
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#checking;
    await this.#server.shutdown();
  }

  async #check(): Promise<void> {
    // Each for itself: one that does not answer holds up none of the others.
    await Promise.all(this.#origins.map(async (origin) => {
      while (!this.#stopped) {
        const isReady = await fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(CHECK.timeoutMs) })
          .then(async (answer) => (await answer.body?.cancel(), answer.ok), () => false);
        if (isReady) this.#ready.add(origin);
        else this.#ready.delete(origin);
        await pause(CHECK.everyMs);
      }
    }));
  }

  async #pass(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const body = request.method === "GET" ? null : await request.text();
    const headers = { "content-type": request.headers.get("content-type") ?? "application/json" };
    const candidates = [...this.#ready];
    for (let i = 0; i < Math.min(candidates.length, 2); i++) {
      const origin = candidates[this.#next++ % candidates.length]!;
      try {
        const signal = AbortSignal.timeout(CALL_MS);
        const init = body === null || body === "" ? {} : { body, headers };
        return await fetch(origin + pathname, { method: request.method, signal, ...init });
      } catch (error) {
        // A call that may have been heard is not sent again.
        if (!(error instanceof TypeError)) return new Response(null, { status: 504 });
        this.#ready.delete(origin);
      }
    }
    return new Response(null, { status: 503 });
  }
}
