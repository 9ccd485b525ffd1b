/**
 * From the start of the process to its first answer, and what it weighs when nobody asks for anything.
 * @module
 */
import { Database } from "../actors/database.ts";
import { answers, environmentOf, freePort, ROOT, Service } from "../actors/service.ts";
import { Child, pause } from "../lib/child.ts";
import type { Part, PartResult } from "../part.ts";
import { figureOf, inRounds } from "../rounds.ts";

const LIMIT_MS = 600;
const LIMIT_MIB = 120;

export const start: Part = {
  name: "start",
  title: "Start, with everything cached, and memory when idle with one worker loaded",
  async run({ scale, world: { gateway } }): Promise<PartResult> {
    await using database = (await Database.make("sqlite"))!;
    const options = { database: database.environment, gateway, workers: 1 };
    const weights: number[] = [];
    const proportional: number[] = [];
    const rounds = await inRounds<"task" | "process", number>(scale.rounds, {
      task: async () => {
        const port = freePort();
        await using task = new Child({
          command: [Deno.execPath(), "task", "--quiet", `--config=${ROOT}/deno.json`, "start"],
          environment: environmentOf(options, port),
        });
        return await untilAnswer(task, `http://127.0.0.1:${port}`);
      },
      process: async () => {
        await using service = await Service.start(options);
        const ms = performance.now() - service.child.startedAt;
        await pause(scale.settleMs);
        const { rss, pss } = await service.weigh();
        weights.push(rss / 2 ** 20);
        proportional.push(pss / 2 ** 20);
        return ms;
      },
    });
    const task = figureOf("`deno task start` to its first answer", "ms", rounds.get("task") ?? []);
    const process = figureOf(
      "the service's own process to its first answer",
      "ms",
      rounds.get("process") ?? [],
    );
    const rss = figureOf("idle, RSS", "MiB", weights);
    return {
      figures: [task, process, rss, figureOf("idle, PSS", "MiB", proportional)],
      targets: [
        limit("First answer of `deno task start`", task.value, LIMIT_MS, "ms"),
        limit("First answer of the process", process.value, LIMIT_MS, "ms"),
        limit("Idle memory, RSS", rss.value, LIMIT_MIB, "MiB"),
      ],
    };
  },
};

async function untilAnswer(child: Child, origin: string): Promise<number> {
  await child.until(() => answers(origin));
  return performance.now() - child.startedAt;
}

function limit(name: string, ours: number, most: number, unit: "ms" | "MiB") {
  return { name, ours, peer: most, peerName: "limit", unit, bound: { atMost: 1 } };
}
