/**
 * Pairings a second: from the scans, all at once, until everybody has logged in and uploaded its pre-keys.
 * @module
 */
import { BareBaileys } from "../actors/bare.ts";
import { Database } from "../actors/database.ts";
import type { GatewayProcess } from "../actors/gateway.ts";
import { Service } from "../actors/service.ts";
import { names } from "../lib/batches.ts";
import type { Part, PartResult } from "../part.ts";
import { figureOf, inRounds } from "../rounds.ts";
import { readQrImage } from "../../simulator/qr.ts";

export const pairings: Part = {
  name: "pairings",
  title: "Pairings a second, from scan to connected, by number of workers",
  async run({ scale: { longRounds, pairings: count }, world: { gateway } }): Promise<PartResult> {
    await using bare = await BareBaileys.start(gateway);
    const results = await inRounds<string, number>(longRounds, {
      "bare Baileys, one thread": async () => {
        const opened = await bare.pair(count);
        const ms = await gateway.pair(opened.map(({ text }) => text));
        await bare.close();
        await gateway.until(0);
        return count / (ms / 1_000);
      },
      "1 worker": () => pairWith(1, count, gateway),
      "2 workers": () => pairWith(2, count, gateway),
    });
    return {
      figures: Array.from(results, ([name, perSecond]) => figureOf(name, "/s", perSecond)),
      targets: [],
      notes: [`${count} at once; the QRs are read off their pictures before the clock starts.`],
    };
  },
};

async function pairWith(workers: number, count: number, gateway: GatewayProcess): Promise<number> {
  await using database = (await Database.make("sqlite"))!;
  await using service = await Service.start({ database: database.environment, gateway, workers });
  const pictures = await Promise.all(names("pair", count).map((name) => service.qr(name)));
  const ms = await gateway.pair(pictures.map(readQrImage));
  await service.untilConnected(count);
  return count / (ms / 1_000);
}
