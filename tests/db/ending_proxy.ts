/**
 * A stretch of network between a client and its server that ends at a statement of the test's choice, and lets nobody
 * through afterwards: what the server sees of a client that is killed there, and the client of a server.
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Whether the statement has not reached the server, is being carried out there, or has been and nobody was told. */
export type Ending = "before" | "during" | "after";

interface Plan {
  /** Counted from 1. */
  readonly nth: number;
  readonly ending: Ending;
  /** Instead of the connection's end: nothing is carried any more, and both sides wait. */
  readonly onReached: (() => void) | null;
}

const COM_QUERY = 0x03;
const COM_STMT_PREPARE = 0x16;
const COM_STMT_EXECUTE = 0x17;
const HEADER_BYTES = 4;
const OK = 0x00;
/** Where a query's text begins at MySQL: before it stands how many attributes it has, none, in one set. */
const AFTER_ATTRIBUTES = HEADER_BYTES + 3;

export class EndingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #counts: RegExp;
  readonly #sockets = new Set<Socket>();
  #plan: Plan | null = null;
  /** The statements so far that are counted, as they were begun. */
  readonly statements: string[] = [];
  /** Whether it has come to its end. */
  isOver = false;

  private constructor(server: Server, target: { host: string; port: number }, counts: RegExp) {
    this.#server = server;
    this.#target = target;
    this.#counts = counts;
    server.on("connection", (client) => this.#carry(client as Socket));
  }

  /**
   * A proxy before the server of this URL, and the URL that leads through it.
   * @param counts which statements are counted
   */
  static async before(url: string, counts: RegExp): Promise<{ proxy: EndingProxy; url: string }> {
    const through = new URL(url);
    const server = createServer();
    const target = { host: through.hostname, port: Number(through.port) };
    const proxy = new EndingProxy(server, target, counts);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    through.hostname = "127.0.0.1";
    through.port = String((server.address() as { port: number }).port);
    return { proxy, url: through.href };
  }

  /** Ends at the nth of the statements that are counted from now on. */
  endAt(nth: number, ending: Ending): void {
    this.#begin({ nth, ending, onReached: null });
  }

  /** Carries nothing any more from there on. Resolves once it is so. */
  stopAt(nth: number, ending: Exclude<Ending, "during">): Promise<void> {
    return new Promise((onReached) => this.#begin({ nth, ending, onReached }));
  }

  /** Lets everybody through again. */
  pass(): void {
    this.#plan = null;
    this.isOver = false;
  }

  #begin(plan: Plan): void {
    this.statements.length = 0;
    this.isOver = false;
    this.#plan = plan;
  }

  #carry(client: Socket): void {
    client.on("error", () => {});
    if (this.isOver) return void client.destroy();
    const server = connect(this.#target);
    const way = { client, server, texts: new Map<number, string>(), preparing: null as string | null };
    let rest = Buffer.alloc(0);
    let isDone = false;
    const end = () => {
      client.destroy();
      server.destroy();
    };
    const finish = (plan: Plan) => {
      isDone = true;
      this.isOver = true;
      if (plan.onReached === null) end();
      else plan.onReached();
    };
    client.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= HEADER_BYTES && !isDone) {
        const size = HEADER_BYTES + rest.readUIntLE(0, 3);
        if (rest.length < size) return;
        const command = rest.subarray(0, size);
        rest = rest.subarray(size);
        const plan = this.#reach(command, way);
        switch (plan?.ending) {
          case undefined:
            server.write(command);
            break;
          case "before":
            finish(plan!);
            break;
          case "during":
            isDone = true;
            server.write(command, () => finish(plan!));
            break;
          case "after":
            isDone = true;
            server.once("data", () => finish(plan!));
            server.write(command);
            break;
        }
      }
    });
    server.on("data", (data: Buffer) => {
      if (isDone) return;
      // The server's number of what it has prepared: with it, and without its text, it is carried out.
      if (way.preparing !== null && data[HEADER_BYTES] === OK) {
        way.texts.set(data.readUInt32LE(HEADER_BYTES + 1), way.preparing);
      }
      way.preparing = null;
      client.write(data);
    });
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        end();
      });
    }
  }

  /** Where this command ends it all; null where it does not. */
  #reach(command: Buffer, way: { texts: Map<number, string>; preparing: string | null }): Plan | null {
    if (command[3] !== 0) return null; // a login
    const text = (start = HEADER_BYTES + 1) => command.toString("utf8", start);
    switch (command[HEADER_BYTES]) {
      case COM_QUERY:
        return this.#count(text(command[HEADER_BYTES + 1] === 0 ? AFTER_ATTRIBUTES : undefined));
      case COM_STMT_PREPARE:
        way.preparing = text();
        return null;
      case COM_STMT_EXECUTE:
        return this.#count(way.texts.get(command.readUInt32LE(HEADER_BYTES + 1)) ?? "");
      default:
        return null;
    }
  }

  #count(text: string): Plan | null {
    if (!this.#counts.test(text)) return null;
    this.statements.push(text);
    return this.statements.length === this.#plan?.nth ? this.#plan : null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
