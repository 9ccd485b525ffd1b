/**
 * Where HTTP comes in. On loopback, where nobody but this machine's own programs can connect, the runtime's own
 * server: twice as fast, and it waits for a slow client for ever. Elsewhere Node's, which does not.
 * @module
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { isLoopback } from "./config.ts";
import type { ErrorCode } from "@session-manager/contract";

/** Answers one request. */
export type Fetch = (request: Request) => Response | Promise<Response>;

/** A server that listens at `host` and `port`. */
export interface Listener {
  readonly host: string;
  readonly port: number;
  /**
   * Lets nobody in any more; resolves once every request in flight has been answered. One that never arrives whole,
   * and an answer that nobody reads, keep it waiting: neither server can cut them off.
   */
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
  // Only here: a service on loopback starts without them.
  const [{ createServer }, { getRequestListener }] = await Promise.all([
    import("node:http"),
    import("@hono/node-server"),
  ]);
  const server = createServer(
    {
      headersTimeout: patience.headersMs,
      requestTimeout: patience.requestMs,
      keepAliveTimeout: patience.idleMs,
      connectionsCheckingInterval: Math.min(1_000, patience.headersMs / 4),
      // HTTP/1.0 has none.
      requireHostHeader: false,
    },
    getRequestListener(fetch, {
      hostname: "localhost",
      // The runtime's own Request and Response, as everywhere else.
      overrideGlobalObjects: false,
      errorHandler: () =>
        new Response(MALFORMED.body, { status: MALFORMED.status, headers: REFUSAL_HEADERS }),
    }),
  );
  server.on("clientError", refuse);
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

/** What is answered to what is no request, before any route is known. */
interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly body: string;
}

const REFUSAL_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

const MALFORMED = refusal(400, "Bad Request", "The request is not valid HTTP.");

/** By the code of the server's own error. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: refusal(
    431,
    "Request Header Fields Too Large",
    "The headers are larger than 16 KiB.",
  ),
  ERR_HTTP_REQUEST_TIMEOUT: refusal(408, "Request Timeout", "The request did not arrive in time."),
};

function refusal(status: number, reason: string, message: string): Refusal {
  const code: ErrorCode = "INVALID_REQUEST";
  return { status, reason, body: JSON.stringify({ error: { code, message } }) };
}

/** Says what is wrong with what the server could not read, where no answer has begun, and ends the connection. */
function refuse(error: Error & { readonly code?: string }, socket: Duplex): void {
  const answer = (socket as { _httpMessage?: ServerResponse<IncomingMessage> | null })._httpMessage;
  if (!socket.writable || answer?.headersSent) return void socket.destroy();
  const { status, reason, body } = REFUSALS[error.code ?? ""] ?? MALFORMED;
  const headers = { ...REFUSAL_HEADERS, "content-length": body.length, connection: "close" };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join("")}\r\n${body}`);
}

function isAddressFault(error: unknown): boolean {
  if (error instanceof Deno.errors.AddrInUse || error instanceof Deno.errors.AddrNotAvailable) return true;
  const { code } = error as { code?: unknown };
  return code === "EADDRINUSE" || code === "EADDRNOTAVAIL";
}
