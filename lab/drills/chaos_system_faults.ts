/**
 * What strikes many sessions at once: the road to WhatsApp, the workers, the database.
 * @module
 */
import type { FaultAction, Gateway } from "../simulator/mod.ts";
import { sabotage } from "../sabotage/sabotage.ts";
import type { DrillDatabase } from "./chaos_database.ts";
import type { Subject } from "./chaos_subject.ts";
import { type Chance, pause } from "./random.ts";

/** What a system fault has at hand. */
export interface Scene {
  readonly gateway: Gateway;
  readonly database: DrillDatabase;
  readonly subjects: readonly Subject[];
  readonly chance: Chance;
}

/** One kind of system fault. It resolves when it is over. */
export interface SystemFault {
  readonly name: string;
  readonly strike: (scene: Scene) => unknown;
}

/** Strikes whoever comes next, and makes a few come. */
const onRoad = (name: string, action: (chance: Chance) => FaultAction): SystemFault => ({
  name,
  strike: ({ gateway, subjects, chance }) => {
    gateway.faults.add({ ...action(chance), times: 3 });
    for (const { phone } of chance.some(subjects, 3)) gateway.drop(phone);
    for (const subject of subjects) subject.look();
  },
});

const ON_ROAD: readonly SystemFault[] = [
  onRoad("refused connection", () => ({ do: "refuse" })),
  onRoad("HTTP status at the upgrade", (chance) => (
    { do: "http-status", status: chance.pick([401, 403, 404, 429, 500, 502, 503]) }
  )),
  onRoad("hanging upgrade", () => ({ do: "hang-upgrade" })),
  onRoad("hanging handshake", () => ({ do: "hang-handshake" })),
  onRoad("garbled handshake", () => ({ do: "garble-handshake" })),
  onRoad(
    "bad certificate",
    (chance) => ({ do: "bad-certificate", flaw: chance.pick(["signature", "serial"]) }),
  ),
  onRoad("slow handshake", (chance) => ({ do: "delay", stage: "handshake", ms: chance.below(1_200) })),
];

const ON_WORKERS: readonly SystemFault[] = (["throw", "reject", "close", "hang"] as const).map((what) => ({
  name: `worker: ${what}`,
  strike: () => sabotage(what),
}));

const ON_ALL: readonly SystemFault[] = [
  {
    name: "everybody dropped",
    strike: ({ gateway, subjects, chance }) => {
      gateway.dropAll(chance.pick(["terminate", "close", "xmlstreamend"]));
      for (const subject of subjects) subject.look();
    },
  },
  {
    name: "gateway down",
    strike: async ({ gateway, chance }) => {
      if (!gateway.listening) return;
      await gateway.goDown();
      await pause(300 + chance.below(1_500));
      await gateway.comeBack();
    },
  },
];

const ON_DATABASE: readonly SystemFault[] = [false, true].map((violently) => ({
  name: violently ? "database killed" : "database restarted",
  strike: ({ database, chance }) => database.shake?.(violently, chance.below(800)),
}));

/** Every system fault that this scene can have. */
export function systemFaults({ database }: Scene): readonly SystemFault[] {
  return [...ON_ROAD, ...ON_WORKERS, ...ON_ALL, ...(database.shake === null ? [] : ON_DATABASE)];
}
