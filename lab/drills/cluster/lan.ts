/**
 * A network of machines that are none: a network namespace each, on one bridge, over which this machine reaches them.
 * What is cut off hears nothing more and is told nothing, as when a switch dies.
 * @module
 */

/** The address of host `n`, counted from 1; the bridge has the last one. */
export interface Host {
  readonly namespace: string;
  readonly address: string;
}

export class Lan implements AsyncDisposable {
  readonly hosts: readonly Host[];
  readonly #name: string;

  private constructor(name: string, subnet: number, count: number) {
    this.#name = name;
    this.hosts = Array.from({ length: count }, (_, i) => ({
      namespace: `${name}n${i + 1}`,
      address: `10.213.${subnet}.${i + 1}`,
    }));
  }

  /** @returns a sentence with the reason where this machine does not allow it */
  static async open(count: number): Promise<Lan | string> {
    const subnet = crypto.getRandomValues(new Uint8Array(1))[0]!;
    const lan = new Lan(`lan${subnet}`, subnet, count);
    try {
      await lan.#build(`10.213.${subnet}.254`);
      return lan;
    } catch (error) {
      await lan[Symbol.asyncDispose]();
      return `this machine makes no network namespaces (${error instanceof Error ? error.message : error})`;
    }
  }

  /** Nothing comes through to host `n` or from it any more. */
  async cut(n: number): Promise<void> {
    await ip("link", "set", this.#cable(n), "down");
  }

  async mend(n: number): Promise<void> {
    await ip("link", "set", this.#cable(n), "up");
  }

  /** The command that runs another one on host `n`. */
  on(n: number): readonly [program: string, ...args: string[]] {
    return ["ip", "netns", "exec", this.hosts[n - 1]!.namespace];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { namespace } of this.hosts) await ip("netns", "del", namespace).catch(() => {});
    await ip("link", "del", this.#name).catch(() => {});
  }

  async #build(gateway: string): Promise<void> {
    await ip("link", "add", this.#name, "type", "bridge");
    await ip("addr", "add", `${gateway}/24`, "dev", this.#name);
    await ip("link", "set", this.#name, "up");
    for (const [i, { namespace, address }] of this.hosts.entries()) {
      const cable = this.#cable(i + 1);
      await ip("netns", "add", namespace);
      await ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", namespace);
      await ip("link", "set", cable, "master", this.#name, "up");
      await ip("-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
      await ip("-n", namespace, "link", "set", "eth0", "up");
      await ip("-n", namespace, "link", "set", "lo", "up");
    }
  }

  /** This machine's end of the cable to host `n`. */
  #cable(n: number): string {
    return `${this.#name}c${n}`;
  }
}

async function ip(...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("ip", { args, stdout: "null", stderr: "piped" })
    .output();
  if (!success) throw new Error(`ip ${args.join(" ")}: ${new TextDecoder().decode(stderr).trim()}`);
}
