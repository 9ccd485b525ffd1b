/**
 * From asking for a QR to having it, beside a bare socket's way to its first one.
 * @module
 */
import { BareBaileys } from "../actors/bare.ts";
import { Database } from "../actors/database.ts";
import { Service } from "../actors/service.ts";
import { median, quantile } from "../lib/stats.ts";
import type { Figure, Part, PartResult, Target } from "../part.ts";
import { inRounds } from "../rounds.ts";

/** What the product may take more: HTTP, two writes, the picture. */
const ALLOWED_MS = 25;

type Times = ReadonlyMap<"ours" | "bare", readonly (readonly number[])[]>;

export const qr: Part = {
  name: "qr",
  title: "From POST /qr to its answer, beside bare Baileys to its first `qr`",
  async run({ scale, world: { gateway } }): Promise<PartResult> {
    await using database = (await Database.make("sqlite"))!;
    await using service = await Service.start({ database: database.environment, gateway, workers: 1 });
    await using bare = await BareBaileys.start(gateway);
    let asked = 0;
    const ask = async () => {
      const since = performance.now();
      await service.qr(`new-${++asked}`);
      return performance.now() - since;
    };
    const measure = (rounds: number, count: number): Promise<Times> =>
      inRounds(rounds, {
        ours: async () => {
          const times = await Promise.all(Array.from({ length: count }, ask));
          await gateway.dropAll();
          return times;
        },
        bare: async () => {
          const opened = await bare.pair(count);
          await bare.close();
          return opened.map(({ ms }) => ms);
        },
      });
    await measure(2, 1); // both have done it before
    const alone = await measure(scale.qrsAlone, 1);
    const crowd = await measure(scale.rounds, scale.qrsAtOnce);
    return {
      figures: [...figuresOf("alone", alone), ...figuresOf(`${scale.qrsAtOnce} at once`, crowd)],
      targets: [target("alone", alone), target(`${scale.qrsAtOnce} at once`, crowd)],
    };
  },
};

function figuresOf(how: string, times: Times): Figure[] {
  return (["ours", "bare"] as const).flatMap((who) => {
    const name = who === "ours" ? `POST /qr, ${how}` : `bare Baileys, ${how}`;
    return [
      { name: `${name}, p50`, value: p50(times, who), unit: "ms" },
      { name: `${name}, p99`, value: quantile((times.get(who) ?? []).flat(), 0.99), unit: "ms" },
    ] as const;
  });
}

function target(how: string, times: Times): Target {
  return {
    name: `POST /qr, ${how}, p50`,
    ours: p50(times, "ours"),
    peer: p50(times, "bare") + ALLOWED_MS,
    peerName: `bare Baileys + ${ALLOWED_MS} ms`,
    unit: "ms",
    bound: { atMost: 1 },
  };
}

function p50(times: Times, who: "ours" | "bare"): number {
  return median((times.get(who) ?? []).flat());
}
