/**
 * Where HTTP comes in. On loopback, where nobody but this machine's own programs can connect, the runtime's own
 * server: twice as fast, and it waits for a slow client for ever. Elsewhere Node's, which does not.
 * @module
 */
import { isLoopback } from "./config.ts";

/** Answers one request. */
export type Fetch = (request: Request) => Response | Promise<Response>;

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Lets nobody in any more; resolves once every request in flight has been answered. */
  shutdown(): Promise<void>;
}

/** How long a client may take, in milliseconds. */
export interface Patience {
  /** From connecting, or from the last answer's request, to the end of a request's headers. */
  readonly headersMs: number;
  /** To the end of its body. Longer than the time after which a slow body is told what is wrong with it. */
  readonly requestMs: number;
  /** From an answer to the next request; longer than load balancers keep a connection. */
  readonly idleMs: number;
}

const PATIENCE: Patience = { headersMs: 10_000, requestMs: 15_000, idleMs: 75_000 };

/** The address is taken, or not this machine's. */
export class AddressUnusableError extends Error {
  override readonly name = "AddressUnusableError";
}

/**
 * Listens.
 * @param port 0 takes a free one
 * @throws {AddressUnusableError} when the address cannot be had
 */
export async function listen(
  { host, port }: { readonly host: string; readonly port: number },
  fetch: Fetch,
  patience: Patience = PATIENCE,
): Promise<Listener> {
  try {
    return isLoopback(host)
      ? listenPlainly(host, port, fetch)
      : await listenGuarded(host, port, fetch, patience);
  } catch (error) {
    if (isAddressFault(error)) throw new AddressUnusableError("The address cannot be had.", { cause: error });
    throw error;
  }
}

function listenPlainly(hostname: string, port: number, fetch: Fetch): Listener {
  const server = Deno.serve({ hostname, port, onListen: () => {} }, fetch);
  return { host: server.addr.hostname, port: server.addr.port, shutdown: () => server.shutdown() };
}

async function listenGuarded(
  host: string,
  port: number,
  fetch: Fetch,
  patience: Patience,
): Promise<Listener> {
  // Only here: whoever listens on loopback starts without them.
  const [{ createServer }, { getRequestListener }] = await Promise.all([
    import("node:http"),
    import("@hono/node-server"),
  ]);
  const server = createServer({
    headersTimeout: patience.headersMs,
    requestTimeout: patience.requestMs,
    keepAliveTimeout: patience.idleMs,
    connectionsCheckingInterval: Math.min(1_000, patience.headersMs / 4),
    // The runtime's own Request and Response, as everywhere else.
  }, getRequestListener(fetch, { overrideGlobalObjects: false }));
  const listening = Promise.withResolvers<void>();
  server.once("error", listening.reject);
  server.listen(port, host, listening.resolve);
  await listening.promise;
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("The server listens on no port.");
  const shutdown = async () => {
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeIdleConnections();
    await closed.promise;
  };
  return { host: address.address, port: address.port, shutdown };
}

function isAddressFault(error: unknown): boolean {
  if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.AddrNotAvailable) return true;
  const { code } = error as { code?: unknown };
  return code === "EADDRINUSE" || code === "EADDRNOTAVAIL";
}
