/**
 * A network of one cable: between this process's network and that of a service in a namespace of its own. What goes over
 * it can be lost or held up, each way for itself, and neither end is told: no FIN, no RST, no ICMP.
 * @module
 */
import assert from "node:assert/strict";
import { connect, createServer, type Server, type Socket } from "node:net";
import { run } from "../../programs.ts";
import { Tuns } from "./tun.ts";

/** What becomes of a packet. */
export type Condition =
  | { readonly kind: "clear" }
  /** Nothing arrives. */
  | { readonly kind: "dropping" }
  /** So many of a hundred do not arrive. */
  | { readonly kind: "losing"; readonly percent: number }
  /** Each takes so many milliseconds, in either direction. */
  | { readonly kind: "delaying"; readonly ms: number };

const CLEAR: Condition = { kind: "clear" };
const TCP = 6;

export class Link implements AsyncDisposable {
  /** This process's address on the link, and the service's. */
  readonly near: string;
  readonly far: string;
  readonly #device: string;
  readonly #tuns = new Tuns();
  readonly #conditions = new Map<number, Condition>();
  readonly #relays = new Set<{ server: Server; sockets: Set<Socket> }>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  readonly #random: () => number;

  private constructor(index: number, random: () => number) {
    this.near = `10.213.${index}.1`;
    this.far = `10.213.${index}.2`;
    this.#device = `drill${Deno.pid % 10_000}x${index}`;
    this.#random = random;
  }

  /** @param index of the link, from 1 on */
  static async open(index: number, random: () => number): Promise<Link> {
    const link = new Link(index, random);
    const { near, far } = link;
    const toNear = link.#tuns.open(`${link.#device}n`, (packet) => link.#carry(packet, toFar));
    const toFar = link.#tuns.open(`${link.#device}f`, (packet) => link.#carry(packet, toNear));
    link.#tuns.start();
    await ip("addr", "add", `${near}/32`, "peer", far, "dev", `${link.#device}n`);
    await ip("link", "set", `${link.#device}n`, "up");
    return link;
  }

  /** Whether links can be made here. */
  static async isPossible(): Promise<boolean> {
    const { code } = await run("sh", ["-c", "unshare --net true && command -v ip && test -c /dev/net/tun"]);
    if (code !== 0) return false;
    try {
      await using _ = await Link.open(254, () => 0);
      return true;
    } catch {
      return false;
    }
  }

  /** A command line that runs another in a network with nothing in it but this link. */
  command(command: readonly string[]): { program: string; args: string[] } {
    const script =
      'device=$1 near=$2 far=$3; shift 3; while ! ip link show "$device" >/dev/null 2>&1; do sleep 0.05; done; ' +
      'ip addr add "$far/32" peer "$near" dev "$device" && ip link set "$device" up && ip link set lo up && exec "$@"';
    return {
      program: "unshare",
      args: ["--net", "sh", "-c", script, "service", `${this.#device}f`, this.near, this.far, ...command],
    };
  }

  /** Gives the far end to the process that {@link command} has started. */
  async attach(pid: number): Promise<void> {
    // Before it has left this network, the device would stay here.
    const script =
      'while [ "$(readlink /proc/$0/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done';
    assert.equal((await run("sh", ["-c", script, String(pid)])).code, 0);
    await ip("link", "set", `${this.#device}f`, "netns", String(pid));
  }

  /** What becomes from now on of what goes to and from this TCP port. */
  set(port: number, condition: Condition): void {
    this.#conditions.set(port, condition);
  }

  /**
   * Carries what comes over the link on to a server of this machine.
   * @returns the port on the link's near side; the same, unless it is taken
   */
  async relay(port: number): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (client) => {
      const target = connect({ host: "127.0.0.1", port, noDelay: true });
      const ends = [client as Socket, target];
      for (const socket of ends) {
        sockets.add(socket);
        socket.on("error", () => {});
        socket.once("close", () => {
          sockets.delete(socket);
          for (const end of ends) end.destroy();
        });
      }
      client.pipe(target);
      target.pipe(client);
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, this.near, () => resolve());
    });
    this.#relays.add({ server, sockets });
    return (server.address() as { port: number }).port;
  }

  #carry(packet: Uint8Array<ArrayBuffer>, deliver: (packet: Uint8Array<ArrayBuffer>) => void): void {
    const condition = this.#conditionOf(packet);
    switch (condition.kind) {
      case "clear":
        return deliver(packet);
      case "dropping":
        return;
      case "losing":
        if (this.#random() * 100 >= condition.percent) deliver(packet);
        return;
      case "delaying": {
        const timer = setTimeout(() => {
          this.#timers.delete(timer);
          deliver(packet);
        }, condition.ms);
        this.#timers.add(timer);
        return;
      }
      default:
        condition satisfies never;
    }
  }

  #conditionOf(packet: Uint8Array): Condition {
    if (packet[0]! >> 4 !== 4 || packet[9] !== TCP) return CLEAR;
    const ports = (packet[0]! & 0xf) * 4;
    const port = (at: number) => packet[at]! << 8 | packet[at + 1]!;
    return this.#conditions.get(port(ports)) ?? this.#conditions.get(port(ports + 2)) ?? CLEAR;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await Promise.all(
      [...this.#relays].map(({ server, sockets }) => {
        for (const socket of sockets) socket.destroy();
        return new Promise<void>((resolve) => server.close(() => resolve()));
      }),
    );
    await this.#tuns[Symbol.asyncDispose]();
  }
}

async function ip(...args: string[]): Promise<void> {
  const { code, all } = await run("ip", args);
  if (code !== 0) throw new Error(`ip ${args.join(" ")}: ${all}`);
}
