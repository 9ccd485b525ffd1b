/**
 * Logins a second, by number of workers, beside bare Baileys in one thread.
 * @module
 */
import { BareBaileys } from "../actors/bare.ts";
import { Database } from "../actors/database.ts";
import type { GatewayProcess } from "../actors/gateway.ts";
import { Service } from "../actors/service.ts";
import type { Part, PartResult } from "../part.ts";
import { figureOf, inRounds } from "../rounds.ts";
import { median } from "../lib/stats.ts";

const BARE = "bare Baileys, one thread";

export const logins: Part = {
  name: "logins",
  title: "Logins a second, by number of workers",
  async run({ scale, world }): Promise<PartResult> {
    const { gateway } = world;
    const count = scale.logins;
    const file = await world.links(count);
    await using database = (await Database.make("sqlite"))!;
    await database.addLogins(file, count);
    const results = await inRounds<string, number>(scale.longRounds, {
      [BARE]: async () => {
        await using bare = await BareBaileys.start(gateway);
        const ms = await bare.login(file, count);
        await bare.close();
        await gateway.until(0);
        return count / (ms / 1_000);
      },
      "1 worker": () => logInWith(1, count, database, gateway),
      "2 workers": () => logInWith(2, count, database, gateway),
    });
    const [ours, peer] = ["2 workers", BARE].map((name) => median(results.get(name) ?? []));
    return {
      figures: Array.from(results, ([name, perSecond]) => figureOf(name, "/s", perSecond)),
      targets: [{
        name: "Logins a second, two workers",
        ours: ours!,
        peer: peer!,
        peerName: BARE,
        unit: "/s",
        bound: { atLeast: 1 },
      }],
      notes: [
        `${count} logins, pre-keys uploaded before; the product from its first attempt to its last login.`,
      ],
    };
  },
};

async function logInWith(
  workers: number,
  count: number,
  database: Database,
  gateway: GatewayProcess,
): Promise<number> {
  await gateway.reset();
  const service = await Service.start({ database: database.environment, gateway, workers });
  const { firstAttemptAt, lastOnlineAt } = await gateway.until(count);
  await service[Symbol.asyncDispose]();
  await gateway.until(0);
  return count / ((lastOnlineAt - firstAttemptAt) / 1_000);
}
