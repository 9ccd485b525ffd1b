import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { FaultBook } from "./faults.ts";

const HOST = "127.0.0.1";
const MAX_FRAME_BYTES = 1 << 24;

/** What a listener tells the gateway. */
export interface ListenerOwner {
  readonly faults: FaultBook;
  /** A TCP connection arrived; returns the id under which it is known from now on. */
  onAttempt(): number;
  /** A fault turned it away. */
  onRefused(id: number): void;
  onWebSocket(id: number, ws: WebSocket, raw: Duplex): void;
}

/** The TCP side: takes connections, upgrades them, and lets go of every one of them when told to. */
export class Listener {
  readonly #owner: ListenerOwner;
  readonly #sockets = new Map<Duplex, number>();
  readonly #upgrader = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: MAX_FRAME_BYTES,
  });
  #server: Server | null = null;
  #port: number;

  /** @param port 0 takes a free one, and keeps it */
  constructor(owner: ListenerOwner, port: number) {
    this.#owner = owner;
    this.#port = port;
  }

  get port(): number {
    return this.#port;
  }

  get isListening(): boolean {
    return this.#server !== null;
  }

  /** @throws when the port is taken */
  async open(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer((_request, response) => response.writeHead(426).end());
    server.on("connection", (socket: Socket) => this.#track(socket));
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, HOST, () => {
        server.off("error", reject);
        resolve();
      });
    });
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Stops listening and cuts every TCP connection; resolves when all are gone. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    const gone = [...this.#sockets.keys()].map((socket) =>
      new Promise<void>((resolve) => {
        socket.once("close", () => resolve());
        socket.destroy();
      })
    );
    await Promise.all([closed, ...gone]);
  }

  #track(socket: Duplex): number {
    const id = this.#owner.onAttempt();
    this.#sockets.set(socket, id);
    socket.on("error", () => {}); // a reset by the peer is nothing that needs doing
    socket.once("close", () => this.#sockets.delete(socket));
    return id;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const id = this.#sockets.get(socket) ?? this.#track(socket);
    const fault = this.#owner.faults.strike(["refuse", "http-status", "hang-upgrade"], {
      phone: null,
      device: null,
      kind: null,
    });
    if (fault === null) {
      this.#upgrader.handleUpgrade(request, socket, Buffer.from(head), (ws: WebSocket) => {
        this.#owner.onWebSocket(id, ws, socket);
      });
      return;
    }
    this.#owner.onRefused(id);
    if (fault.do === "refuse") socket.destroy();
    else if (fault.do === "http-status") socket.end(refusal(fault.status), () => socket.destroy());
    else socket.resume(); // unread, its end would never be noticed
  }
}

function refusal(status: number): string {
  const line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Refused"}`;
  return `${line}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`;
}
