/**
 * A restart: from the start of the process until all linked sessions are connected, on both databases.
 * @module
 */
import { BareBaileys } from "../actors/bare.ts";
import { Database } from "../actors/database.ts";
import type { GatewayProcess } from "../actors/gateway.ts";
import { Service } from "../actors/service.ts";
import type { Context, Figure, Part, PartResult, Target } from "../part.ts";
import { figureOf, inRounds, medianOf } from "../rounds.ts";

/** The number of sessions for which there is a target. */
const JUDGED = 500;
const BARE = "bare Baileys, logins alone";

export const restart: Part = {
  name: "restart",
  title: "Restart: from process start until all are connected, in seconds",
  async run(context): Promise<PartResult> {
    const figures: Figure[] = [];
    const targets: Target[] = [];
    for (const size of context.scale.sizes) {
      const results = await measure(context, size);
      for (const [name, seconds] of results) {
        figures.push(figureOf(`${size} sessions, ${name}`, "s", seconds));
      }
      if (size !== JUDGED && context.scale.name === "full") continue;
      const [peer, ours] = [BARE, "SQLite"].map((name) => medianOf(results.get(name), (seconds) => seconds));
      targets.push({
        name: `${size} sessions back, SQLite`,
        ours: ours!,
        peer: peer!,
        peerName: BARE,
        unit: "s",
        bound: { atMost: 1.5 },
      });
    }
    return { figures, targets };
  },
};

async function measure({ scale, world, say }: Context, size: number): Promise<Map<string, number[]>> {
  const { gateway } = world;
  const file = await world.links(size);
  await using sqlite = (await Database.make("sqlite"))!;
  await using mysql = await Database.make("mysql");
  await sqlite.addLogins(file, size);
  await mysql?.addLogins(file, size);
  say(`${size} sessions to bring back`);
  return await inRounds<string, number>(scale.longRounds, {
    [BARE]: async () => {
      await using bare = await BareBaileys.start(gateway);
      const ms = await bare.login(file, size);
      await bare.close();
      await gateway.until(0);
      return ms / 1_000;
    },
    "SQLite": () => restore(sqlite, size, gateway),
    ...(mysql === null ? {} : { "MariaDB": () => restore(mysql, size, gateway) }),
  });
}

async function restore(database: Database, size: number, gateway: GatewayProcess): Promise<number> {
  const service = await Service.start({ database: database.environment, gateway });
  await gateway.until(size);
  await service.untilConnected(size);
  const ms = performance.now() - service.child.startedAt;
  await service[Symbol.asyncDispose]();
  await gateway.until(0);
  return ms / 1_000;
}
