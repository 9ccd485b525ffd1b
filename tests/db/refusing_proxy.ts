/**
 * A stretch of network between a store and its server, which answers in the server's place: any statement, or any new
 * connection, with an error of a number of the test's choice. A router, a proxy and a cluster do the same.
 * @module
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Server, type Socket } from "node:net";

/** An error, as a server tells it. */
export interface Refusal {
  readonly errno: number;
  /** Five characters; `HY000` where it is not given. */
  readonly sqlState?: string;
  /** What it answers: statements on connections that are open, the login of new ones, or both. */
  readonly of: "statements" | "logins" | "everything";
  /** Which statements, by their text; all of them where it is not given, prepared ones included. */
  readonly text?: RegExp;
}

const COM_QUERY = 0x03;
const COM_STMT_PREPARE = 0x16;
const COM_STMT_EXECUTE = 0x17;
const HEADER_BYTES = 4;

export class RefusingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #target: { host: string; port: number };
  readonly #sockets = new Set<Socket>();
  readonly #clients = new Set<Socket>();
  #refusal: Refusal | null = null;
  #losesAnswer: RegExp | null = null;
  /** How many answers it has given so far. */
  refused = 0;

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    server.on("connection", (client) => this.#carry(client as Socket));
  }

  /** A proxy before the server of this URL, and the URL that leads through it. */
  static async before(url: string): Promise<{ proxy: RefusingProxy; url: string }> {
    const through = new URL(url);
    const server = createServer();
    const proxy = new RefusingProxy(server, { host: through.hostname, port: Number(through.port) });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    through.hostname = "127.0.0.1";
    through.port = String((server.address() as { port: number }).port);
    return { proxy, url: through.href };
  }

  /** Answers so from now on. */
  refuse(refusal: Refusal): void {
    this.refused = 0;
    this.#refusal = refusal;
  }

  /** Lets everything through again. */
  permit(): void {
    this.#refusal = null;
  }

  /**
   * Lets the next statement of this text through to the server, and cuts the connection when the answer comes back: of
   * one that is prepared, the answer to its being carried out.
   */
  loseAnswerTo(text: RegExp): void {
    this.#losesAnswer = text;
  }

  /** Ends every connection: with an error that nobody has asked for, as a server does that throws its clients out. */
  throwOut(refusal: Pick<Refusal, "errno" | "sqlState">): void {
    for (const client of this.#clients) client.end(packet(0, refusal));
  }

  #carry(client: Socket): void {
    const server = connect(this.#target);
    const end = () => {
      client.destroy();
      server.destroy();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        this.#clients.delete(socket);
        end();
      });
    }
    this.#clients.add(client);
    let lost: "not" | "prepared" | "now" = "not";
    server.on("data", (data: Buffer) => lost === "now" ? end() : client.write(data));
    let rest = Buffer.alloc(0);
    client.on("data", (data: Buffer) => {
      rest = Buffer.concat([rest, data]);
      while (rest.length >= HEADER_BYTES) {
        const size = HEADER_BYTES + rest.readUIntLE(0, 3);
        if (rest.length < size) return;
        const command = rest.subarray(0, size);
        if (this.#losesAnswer?.test(command.toString("latin1")) && command[3] === 0) {
          this.#losesAnswer = null;
          lost = command[HEADER_BYTES] === COM_STMT_PREPARE ? "prepared" : "now";
        } else if (lost === "prepared" && command[HEADER_BYTES] === COM_STMT_EXECUTE) {
          lost = "now";
        }
        this.#pass(command, client, server);
        rest = rest.subarray(size);
      }
    });
  }

  #pass(command: Buffer, client: Socket, server: Socket): void {
    if (this.#refusal === null || !isRefused(command, this.#refusal)) return void server.write(command);
    this.refused++;
    const answer = packet(command[3]! + 1, this.#refusal);
    if (command[3] === 0) client.write(answer);
    else client.end(answer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

function isRefused(command: Buffer, { of, text }: Refusal): boolean {
  // A command begins anew to count its packets; a login goes on where the server's greeting left off.
  if (command[3] !== 0) return of !== "statements";
  if (of === "logins") return false;
  switch (command[HEADER_BYTES]) {
    case COM_QUERY:
    case COM_STMT_PREPARE:
      return text === undefined || text.test(command.toString("latin1", HEADER_BYTES + 1));
    case COM_STMT_EXECUTE:
      return text === undefined;
    default:
      return false;
  }
}

function packet(
  sequence: number,
  { errno, sqlState = "HY000" }: Pick<Refusal, "errno" | "sqlState">,
): Buffer {
  const body = Buffer.concat([
    Buffer.from([0xff, errno & 0xff, errno >> 8]),
    Buffer.from(`#${sqlState}Refused by the test.`, "latin1"),
  ]);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(body.length, 0, 3);
  header[3] = sequence;
  return Buffer.concat([header, body]);
}
