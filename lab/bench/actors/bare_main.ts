/**
 * Bare Baileys: many unmodified sockets in one process and one thread, with nothing around them but what every
 * user of the library has to write. Its peer in the product is everything.
 * @module
 */
import { WA_CERT_DETAILS } from "@whiskeysockets/baileys";
import { Buffer } from "node:buffer";
import { BareSocket } from "./bare_socket.ts";
import { filesLogin, type Login, memoryLogin, newLogin, readLogins, writeLogins } from "./logins.ts";
import { serveCommands } from "./commands.ts";

const [url = "", rootKey = ""] = Deno.args;
WA_CERT_DETAILS.PUBLIC_KEY = Buffer.from(rootKey, "hex");

/** How many log in at the same time; as many as the product's own limit lets. */
const AT_ONCE = 16;
/** How many are opened at the same time to be paired. */
const PAIRING_AT_ONCE = 100;
let sockets: BareSocket[] = [];

async function pairAtOnce(count: number): Promise<{ text: string; ms: number }[]> {
  const startedAt = performance.now();
  const opened = Array.from({ length: count }, () => new BareSocket(url, newLogin()));
  sockets.push(...opened);
  return await Promise.all(opened.map(async (socket) => {
    const text = await socket.qr;
    return { text, ms: performance.now() - startedAt };
  }));
}

serveCommands({
  /** Opens sockets to pair, all at once. @returns each one's text, and how long it took to come */
  async pair({ count }: { count: number }) {
    const told: { text: string; ms: number }[] = [];
    // One thread cannot shake hands with more in the time that the library gives a connection to open.
    for (let left = count; left > 0; left -= PAIRING_AT_ONCE) {
      told.push(...await pairAtOnce(Math.min(left, PAIRING_AT_ONCE)));
    }
    return told;
  },

  /** Writes down what is logged in, for others to log in with. */
  write: ({ file }: { file: string }) => writeLogins(file, sockets.map(({ login }) => login)),

  /** Logs in as others have paired, with their keys in memory or in files. */
  async login({ file, count, folder }: { file: string; count: number; folder?: string }) {
    const startedAt = performance.now();
    const logins: Login[] = [];
    for await (const stored of readLogins(file, count)) {
      logins.push(folder === undefined ? memoryLogin(stored) : await filesLogin(stored, folder));
    }
    const readAt = performance.now();
    const work = async () => {
      for (let login = logins.pop(); login !== undefined; login = logins.pop()) {
        const socket = new BareSocket(url, login);
        sockets.push(socket);
        await socket.open;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return { readMs: readAt - startedAt, ms: performance.now() - readAt };
  },

  /** Collects all garbage, so that what is weighed next is what is needed. */
  collect() {
    (globalThis as unknown as { gc(): void }).gc();
  },

  async close() {
    await Promise.all(sockets.map((socket) => socket.close()));
    sockets = [];
  },
});
