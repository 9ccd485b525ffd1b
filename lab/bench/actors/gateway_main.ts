/**
 * The gateway's process: WhatsApp for all that is measured, and the clock by which logins are timed, the same
 * for the product and for bare Baileys.
 * @module
 */
import { startGateway } from "../../simulator/mod.ts";
import { serveCommands } from "./commands.ts";

const gateway = await startGateway();
/** The connection through which each device is online. */
const online = new Map<string, number>();
let firstAttemptAt = 0;
let lastOnlineAt = 0;
let logins = 0;
let wake = () => {};

gateway.on(({ kind, at, device, connection }) => {
  if (kind === "attempt") firstAttemptAt ||= at;
  if (device === null) return;
  if (kind === "online") {
    online.set(device, connection);
    lastOnlineAt = at;
    logins++;
    wake();
  }
  if (kind === "closed" && online.get(device) === connection) {
    online.delete(device);
    wake();
  }
});

serveCommands({
  where: () => ({ url: gateway.url, rootKey: gateway.rootKey }),

  /** Starts the clock anew. */
  reset() {
    firstAttemptAt = lastOnlineAt = logins = 0;
  },

  /** Waits until so many devices are online, or offline altogether where it is 0. */
  async until({ count, patienceMs = 300_000 }: { count: number; patienceMs?: number }) {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      wake();
    }, patienceMs);
    while (online.size !== count) {
      if (late) throw new Error(`${online.size} devices are online in place of ${count}.`);
      await new Promise<void>((resolve) => wake = resolve);
    }
    clearTimeout(timer);
    return { firstAttemptAt, lastOnlineAt, logins };
  },

  /** Phones scan these texts, all at once. @returns how long it took until all of them were online */
  async pair({ texts }: { texts: string[] }) {
    const startedAt = Date.now();
    const ends = await Promise.all(texts.map(async (text) => {
      const phone = gateway.phone();
      const back = gateway.when("online", { phone: phone.number, timeoutMs: 300_000 });
      const { outcome } = await phone.scanText(text);
      if (outcome !== "paired") throw new Error(`A scan came to nothing: ${outcome}.`);
      return (await back).at;
    }));
    return { ms: Math.max(...ends) - startedAt };
  },

  /** Drops connections at random, so many a second, for so long. */
  async churn({ perSecond, seconds }: { perSecond: number; seconds: number }) {
    const before = logins;
    let drops = 0;
    const timer = setInterval(() => {
      const connections = [...online.values()];
      const one = connections[Math.floor(Math.random() * connections.length)];
      if (one !== undefined) drops += gateway.drop(one);
    }, 1_000 / perSecond);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    clearInterval(timer);
    return { drops, logins: logins - before };
  },

  /** Drops everybody. */
  dropAll: () => gateway.dropAll(),
});
