/**
 * What sessions weigh and what they take while nothing happens: the whole process, from `/proc`.
 * @module
 */
import { BareBaileys } from "../actors/bare.ts";
import { Database } from "../actors/database.ts";
import { Service } from "../actors/service.ts";
import { inBatches, names } from "../lib/batches.ts";
import { pause, type Weight } from "../lib/child.ts";
import type { Context, Figure, Part, PartResult, Target } from "../part.ts";

/** How many QRs are asked for at the same time while the scene is set. */
const QRS_AT_ONCE = 32;
/** The number of sessions whose weight is compared. */
const JUDGED = 500;
/** The most that the process may weigh with so many linked sessions. */
const LIMIT = { sessions: 1_000, mib: 1_024 };

/** A process at rest, with and without its sessions. */
interface Rest {
  readonly weight: Weight;
  readonly cpu: number;
}

interface Subject extends AsyncDisposable {
  weigh(): Promise<Weight>;
  cpuShare(ms: number): Promise<number>;
}

export const memory: Part = {
  name: "memory",
  title: "Memory of a session, and idle CPU; the whole process, at rest",
  async run(context): Promise<PartResult> {
    const figures: Figure[] = [];
    const targets: Target[] = [];
    const subjects = subjectsOf(context);
    // Side by side: what a process weighs is its own.
    const empty = new Map(
      await Promise.all(
        Object.entries(subjects).map(async ([name, make]) =>
          [name, await rest(context, await make(0))] as const
        ),
      ),
    );
    for (const size of context.scale.sizes) {
      const each = new Map<string, number>();
      for (const [name, make] of Object.entries(subjects)) {
        const { weight, cpu } = await rest(context, await make(size));
        const kib = (weight.rss - empty.get(name)!.weight.rss) / size / 1_024;
        each.set(name, kib);
        figures.push(
          { name: `${size} ${name}: each`, value: kib, unit: "KiB" },
          { name: `${size} ${name}: process, RSS`, value: weight.rss / 2 ** 20, unit: "MiB" },
          { name: `${size} ${name}: process, PSS`, value: weight.pss / 2 ** 20, unit: "MiB" },
          { name: `${size} ${name}: idle CPU`, value: cpu * 100, unit: "% of a core" },
        );
        if (name === OURS_LINKED && size === LIMIT.sessions) {
          targets.push({
            name: `Process with ${size} linked sessions, RSS`,
            ours: weight.rss / 2 ** 20,
            peer: LIMIT.mib,
            peerName: "limit",
            unit: "MiB",
            bound: { atMost: 1 },
          });
        }
      }
      if (size !== JUDGED && context.scale.name === "full") continue;
      targets.push({
        name: `A linked session, of ${size}, RSS`,
        ours: each.get(OURS_LINKED)!,
        peer: each.get(BARE_MEMORY)!,
        peerName: BARE_MEMORY,
        unit: "KiB",
        bound: { atMost: 0.6 },
      });
    }
    for (const [name, { weight }] of empty) {
      figures.push({ name: `no ${name}: process, RSS`, value: weight.rss / 2 ** 20, unit: "MiB" });
    }
    return {
      figures,
      targets,
      notes: [
        "Each: what the process weighs more than without any session, divided by their number.",
        "Bare Baileys is weighed after a full collection of garbage, the product as it is.",
      ],
    };
  },
};

const OURS_LINKED = "linked, product";
const BARE_MEMORY = "linked, bare Baileys with keys in memory";

/** A process for each way to hold sessions, given how many. */
function subjectsOf({ world }: Context): Record<string, (count: number) => Promise<Subject>> {
  const { gateway } = world;
  const bareLinked = async (count: number, folder?: string) => {
    const file = await world.links(count);
    const bare = await BareBaileys.start(gateway);
    await bare.login(file, count, folder);
    return bare;
  };
  return {
    "unlinked, product": async (count) => {
      const { service, stack } = await serviceOf(world);
      await inBatches(names("shown", count), QRS_AT_ONCE, (name) => service.qr(name));
      return subject(service, stack);
    },
    "unlinked, bare Baileys": async (count) => {
      const bare = await BareBaileys.start(gateway);
      await bare.pair(count);
      return bare;
    },
    [OURS_LINKED]: async (count) => {
      const { service, stack } = await serviceOf(world, count);
      await gateway.until(count);
      return subject(service, stack);
    },
    [BARE_MEMORY]: (count) => bareLinked(count),
    "linked, bare Baileys with keys in files": async (count) => bareLinked(count, await world.folder()),
  };
}

async function serviceOf(world: Context["world"], linked = 0) {
  const stack = new AsyncDisposableStack();
  const database = stack.use((await Database.make("sqlite"))!);
  if (linked > 0) await database.addLogins(await world.links(linked), linked);
  const { gateway } = world;
  const service = stack.use(await Service.start({ database: database.environment, gateway, workers: 1 }));
  return { service, stack };
}

function subject(service: Service, stack: AsyncDisposableStack): Subject {
  return {
    weigh: () => service.weigh(),
    cpuShare: (ms) => service.child.cpuShare(ms),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Leaves it alone for a while, weighs it, watches it, and ends it. */
async function rest({ scale, world: { gateway } }: Context, subject: Subject): Promise<Rest> {
  await pause(scale.settleMs);
  const weight = await subject.weigh();
  const cpu = await subject.cpuShare(scale.settleMs);
  await subject[Symbol.asyncDispose]();
  await gateway.until(0);
  return { weight, cpu };
}
