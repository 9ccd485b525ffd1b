/**
 * The same questions while connections drop and come back: how much longer the slowest answers take.
 * @module
 */
import { Database } from "../actors/database.ts";
import { HUB_KEY, qrPath, Service, sessionPath } from "../actors/service.ts";
import { names } from "../lib/batches.ts";
import { load } from "../lib/load.ts";
import type { Part, PartResult, Target } from "../part.ts";
import { inRounds, type Loaded, loadFigures, loadMeasured, medianOf } from "../rounds.ts";

/** Of so many connected sessions one drops each second: of 500, 20 a second. */
const SESSIONS_PER_DROP = 25;
/** QRs that are shown while they are asked for again and again. */
const SHOWN = 20;

export const churn: Part = {
  name: "churn",
  title: "HTTP while connections drop and come back",
  async run({ scale, say, world }): Promise<PartResult> {
    const { gateway } = world;
    const { churned, loadSeconds: seconds } = scale;
    const rows = names("row", scale.rows);
    const file = await world.links(churned);
    await using database = (await Database.make("sqlite"))!;
    await database.addRows(rows);
    const linked = await database.addLogins(file, churned);
    await using service = await Service.start({ database: database.environment, gateway, workers: 1 });
    await service.untilConnected(churned);
    const shown = names("shown", SHOWN);
    await Promise.all(shown.map((name) => service.qr(name)));
    const perSecond = Math.max(1, churned / SESSIONS_PER_DROP);
    let drops = 0;
    const questions: Record<string, () => Promise<Loaded>> = {
      "GET owned": ask(linked.map(sessionPath)),
      "GET from SQLite": ask(rows.map(sessionPath)),
      "POST /qr, valid": ask(shown.map(qrPath), "POST"),
    };
    function ask(paths: readonly string[], method: "GET" | "POST" = "GET") {
      const { origin, child } = service;
      return () => loadMeasured(child, seconds, () => load({ origin, method, paths, key: HUB_KEY }, seconds));
    }
    await inRounds(1, questions); // what is measured has been compiled
    const results = await inRounds<string, Loaded>(
      scale.longRounds,
      Object.fromEntries(
        Object.entries(questions).flatMap(([name, question]) => [
          [`${name}, at rest`, question],
          [`${name}, under churn`, async () => {
            const [result, churn] = await Promise.all([
              question(),
              gateway.churn(perSecond, seconds),
            ]);
            drops += churn.drops;
            await gateway.until(churned);
            return result;
          }],
        ]),
      ),
    );
    say(`${drops} connections were dropped`);
    return {
      figures: [...results].flatMap(([name, rounds]) => loadFigures(name, rounds)),
      targets: Object.keys(questions).map((name): Target => {
        const [ours, peer] = ["under churn", "at rest"].map((when) =>
          medianOf(results.get(`${name}, ${when}`), ({ p99Ms }) => p99Ms)
        );
        return {
          name: `${name}, p99 under churn`,
          ours: ours!,
          peer: peer!,
          peerName: "at rest",
          unit: "ms",
          bound: { atMost: 3 },
        };
      }),
      notes: [`${churned} sessions connected; ${perSecond} a second drop and come back.`],
    };
  },
};
