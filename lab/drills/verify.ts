/**
 * After a kill and a start: what came back, what did not, and what is left at WhatsApp.
 * @module
 */
import type { SessionView } from "@session-manager/contract";
import type { Gateway } from "../simulator/mod.ts";
import type { Actor } from "./actor.ts";
import { pause } from "./random.ts";
import type { Tally } from "./tally.ts";
import type { Watcher } from "./watcher.ts";

/** How long a link may take to come back, in milliseconds, before it counts as lost. */
const PATIENCE_MS = 120_000;
/** How long the questions rest between two rounds of them, in milliseconds. */
const REST_MS = 10;

export interface AftermathOptions {
  readonly gateway: Gateway;
  readonly watcher: Watcher;
  readonly tally: Tally;
  /** Everything about an actor that helps to understand a loss. */
  readonly storyOf: (actor: Actor) => string;
}

/** Devices that nobody uses any more and that the product has to unlink, and by which kill they came about. */
export type Leftovers = Map<string, "pairing" | "logout">;

/** Judges every instance after a start, and waits until every link is back, or lost. */
export async function settle(
  actors: readonly Actor[],
  leftovers: Leftovers,
  options: AftermathOptions,
): Promise<void> {
  // Without a rest in between: what the start has decided is what is judged here.
  for (const actor of actors) await judge(actor, leftovers, options);
  await comeBack(actors.filter(({ standing }) => standing.kind === "linked"), options);
  await bow(actors.filter(({ standing }) => standing.kind === "leaving"), options);
}

/** Waits until WhatsApp knows no device but those in use, and counts what is left all the same. */
export async function sweep(
  actors: readonly Actor[],
  leftovers: Leftovers,
  { tally, storyOf }: Pick<AftermathOptions, "tally" | "storyOf">,
): Promise<void> {
  const besides = (actor: Actor) => actor.phone.devices.filter(({ jid }) => jid !== actor.device);
  for (const actor of await remaining(actors, (actor) => Promise.resolve(besides(actor).length === 0))) {
    for (const { jid } of besides(actor)) {
      const cause = leftovers.get(jid);
      if (cause === "pairing") tally.ghosts++;
      else if (cause === "logout") tally.leftBehind++;
      tally.faults.push(`${jid} is linked besides.\n${storyOf(actor)}`);
    }
  }
}

/** Decides what was open when the kill came. */
async function judge(actor: Actor, leftovers: Leftovers, options: AftermathOptions): Promise<void> {
  const before = actor.standing;
  const view = await options.watcher.look(actor);
  const { tally } = options;
  switch (before.kind) {
    case "unlinked":
      return;
    case "linked":
      if (before.device !== null) return;
      // Its login was kept, and the kill came before the signature that would have made the device.
      tally.hollow++;
      actor.standing = { kind: "leaving", by: "phone", device: null, answered: true };
      return;
    case "pairing":
      if (actor.standing.kind === "linked") {
        // It was kept, although nobody had been told yet. Without a device there is nothing to come back to.
        if (actor.device !== null) return;
        tally.hollow++;
      } else if (before.device !== null) leftovers.set(before.device, "pairing");
      actor.standing = { kind: "unlinked" };
      return;
    case "leaving":
      if (before.by === "phone") return;
      if (hasLink(view)) {
        if (before.answered) {
          tally.faults.push(`A confirmed LOGOUT was forgotten.\n${options.storyOf(actor)}`);
        }
        actor.standing = { kind: "linked", device: before.device };
      } else {
        if (before.device !== null) leftovers.set(before.device, "logout");
        actor.standing = { kind: "unlinked" };
      }
      return;
    default:
      return before satisfies never;
  }
}

/** Every link is connected again, by itself and as the same device; otherwise it is lost. */
async function comeBack(actors: readonly Actor[], options: AftermathOptions): Promise<void> {
  const { gateway, tally, watcher } = options;
  const isBack = async (actor: Actor) =>
    actor.device !== null && gateway.device(actor.device)?.online === true &&
    (await watcher.look(actor))?.status === "connected";
  for (const actor of await remaining(actors, isBack)) {
    tally.losses.push(options.storyOf(actor));
    actor.standing = { kind: "unlinked" };
    await actor.phone.unlink();
  }
}

/** Every session that was unlinked on the phone finds out, and says so. */
async function bow(actors: readonly Actor[], options: AftermathOptions): Promise<void> {
  const isGone = async (actor: Actor) => {
    const view = await options.watcher.look(actor);
    return view?.status === "disconnected" && view.qr_status === "none";
  };
  for (const actor of await remaining(actors, isGone)) {
    options.tally.faults.push(`It never found out that it was unlinked.\n${options.storyOf(actor)}`);
  }
  for (const actor of actors) actor.standing = { kind: "unlinked" };
}

function hasLink(view: SessionView | null): boolean {
  return view?.status === "connecting" || view?.status === "connected";
}

/** Those for which it did not come true in time. */
async function remaining(
  actors: readonly Actor[],
  isDone: (actor: Actor) => Promise<boolean>,
): Promise<Actor[]> {
  const end = performance.now() + PATIENCE_MS;
  for (let open = [...actors];;) {
    const still: Actor[] = [];
    for (const actor of open) if (!await isDone(actor)) still.push(actor);
    if (still.length === 0 || performance.now() > end) return still;
    open = still;
    await pause(REST_MS);
  }
}
