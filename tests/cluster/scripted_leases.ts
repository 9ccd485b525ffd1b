/**
 * The presences of a database that does as it is told, for one replica.
 * @module
 */
import { KeysDisagreeError } from "../../domain/key_ring.ts";
import type { Arrival } from "../../cluster/ports.ts";
import type { LeaseStore } from "../../cluster/ports.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";

type Presences = Pick<LeaseStore, "join" | "renew" | "leave">;

export class ScriptedLeases implements Presences {
  readonly joined: string[] = [];
  readonly left: string[] = [];
  renewals = 0;
  /** How the database answers from now on. */
  mood: "well" | "away" | "silent" | "expired" | "broken" | "disagrees" = "well";

  async join(replica: string): Promise<Arrival> {
    await this.#answer();
    this.joined.push(replica);
    return { unopened: 0 };
  }

  async renew(): Promise<boolean> {
    this.renewals++;
    await this.#answer();
    return this.mood !== "expired";
  }

  async leave(replica: string): Promise<void> {
    await this.#answer();
    this.left.push(replica);
  }

  #answer(): Promise<void> {
    switch (this.mood) {
      case "well":
      case "expired":
        return Promise.resolve();
      case "away":
        return Promise.reject(new StoreUnavailableError());
      case "broken":
        return Promise.reject(new RangeError("no statement of ours"));
      case "disagrees":
        return Promise.reject(new KeysDisagreeError("CREDENTIALS_KEY lacks a key."));
      case "silent":
        return new Promise(() => {});
      default:
        return this.mood satisfies never;
    }
  }
}
