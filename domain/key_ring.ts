/**
 * Which key seals, where several replicas share one database and each has a list of keys of its own.
 *
 * The key that seals is a fact of the database, and not the first of anybody's list: a fleet is restarted one replica
 * after the other, and what is sealed with a key that some of them lack is lost to them. It changes by a rotation alone,
 * which is refused while a replica is present that does not have the new key. So a list may be longer than that of the
 * others for as long as it takes, and a replica that goes back to the older list finds everything as it was.
 *
 * A key is *in use* from when it may have sealed something until a rotation has found that nothing is left of it.
 * @module
 */
import type { ReplicaId, Shares } from "./leases.ts";

/** Names a key and tells nothing of it. */
export type KeyId = string;

/** A replica that is present, and what it says of its keys. */
export interface KeyHolder {
  readonly replica: ReplicaId;
  /** Null where it does not say: an earlier version of the service. */
  readonly keys: ReadonlySet<KeyId> | null;
  /** The key with which everything is sealed that it has under way; null where that is not known. */
  readonly sealsWith: KeyId | null;
}

/** What the database knows of keys. */
export interface KeyRing {
  /** The key that seals; null before the first replica. */
  readonly sealing: KeyId | null;
  readonly inUse: ReadonlySet<KeyId>;
  /** Everybody who is present. */
  readonly holders: readonly KeyHolder[];
}

/**
 * The keys of this process do not go together with those of the replicas that are present. The message is one sentence
 * for an operator.
 */
export class KeysDisagreeError extends Error {
  override readonly name = "KeysDisagreeError";
}

/** What becomes of a replica that wants to be present. */
export type Admission =
  /** Others can open what it cannot: with it the fleet would fall apart, and the next one to follow it would lose links. */
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "admitted"; readonly sealing: KeyId };

/**
 * Whether a replica with these keys may be present, and which key seals then.
 * @param keys its keys, the newest first
 */
export function admit(ring: KeyRing, self: ReplicaId, keys: readonly KeyId[]): Admission {
  const others = ring.holders.filter(({ replica }) => replica !== self);
  const needed = new Set([...ring.inUse, ...(ring.sealing === null ? [] : [ring.sealing])]);
  const lacking = [...needed].filter((key) => !keys.includes(key));
  const isKnown = others.some((holder) => lacking.some((key) => holder.keys?.has(key)));
  const isPossible = lacking.length > 0 && others.some((holder) => holder.keys === null);
  if (isKnown || isPossible) {
    const who = isKnown ? "another replica has" : "a replica of an earlier version may have";
    return {
      kind: "refused",
      why:
        `CREDENTIALS_KEY lacks a key that ${who} and that stored logins are sealed with; give this replica that ` +
        "key as well (`new,old`), and leave it out once `deno task rotate-credentials` has finished.",
    };
  }
  if (ring.sealing !== null && keys.includes(ring.sealing)) {
    return { kind: "admitted", sealing: ring.sealing };
  }
  // Before the first replica, or nobody has the key any more. The oldest that opens anything, for others may follow
  // that have no newer one; a rotation goes on to the newest.
  return { kind: "admitted", sealing: keys.findLast((key) => ring.inUse.has(key)) ?? keys[0]! };
}

/** Keys that this replica lacks and another one that is present has: what they sealed is left to the others. */
export function keysOfOthers(ring: KeyRing, self: ReplicaId, keys: readonly KeyId[]): Set<KeyId> {
  const others = new Set<KeyId>();
  for (const holder of ring.holders) {
    if (holder.replica === self) continue;
    for (const key of holder.keys ?? []) if (!keys.includes(key)) others.add(key);
  }
  return others;
}

/**
 * As much of the shares as this replica counts with: that of those who can open what it can open. What it gives up, one
 * of the others could not take.
 * @param keys its own
 */
export function sharesAmongEquals(shares: Shares, ring: KeyRing, keys: readonly KeyId[]): Shares {
  const needed = keys.filter((key) => ring.inUse.has(key));
  const lesser = new Set(
    ring.holders.filter((holder) => holder.keys !== null && needed.some((key) => !holder.keys?.has(key)))
      .map(({ replica }) => replica),
  );
  const sessions = new Map([...shares.sessions].filter(([replica]) => !lesser.has(replica)));
  return { sessions, orphans: shares.orphans };
}

/** Why the key that seals cannot be this one now, as a sentence for an operator; null where it can. */
export function whyNotSealing({ holders }: KeyRing, key: KeyId): string | null {
  const silent = holders.filter((holder) => holder.keys === null).length;
  const lacking = holders.filter((holder) => holder.keys !== null && !holder.keys.has(key)).length;
  if (silent === 0 && lacking === 0) return null;
  const count = silent + lacking;
  const who = `${count} of ${holders.length} replicas that are present`;
  return silent > 0 && lacking === 0
    ? `${who} ${
      count === 1 ? "is" : "are"
    } of an earlier version, which does not say whether it has the newest key of ` +
      "CREDENTIALS_KEY; update every replica first, then run this again."
    : `${who} cannot open what the newest key of CREDENTIALS_KEY seals; restart every replica with this ` +
      "CREDENTIALS_KEY first, then run this again.";
}

/** Whether everybody who is present has nothing under way any more that another key sealed. */
export function isSealingAlone({ holders }: KeyRing, key: KeyId): boolean {
  return holders.every(({ sealsWith }) => sealsWith === key);
}
