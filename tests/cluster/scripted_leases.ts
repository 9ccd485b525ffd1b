/**
 * One replica's way to a database that does as it is told.
 * @module
 */
import { type KeyId, type KeyRing, KeysDisagreeError } from "../../domain/key_ring.ts";
import type { ClusterSnapshot, Lease, Taking } from "../../domain/leases.ts";
import type {
  AddressedCommand,
  Arrival,
  CommandState,
  LeaseStore,
  LeftToOthers,
} from "../../cluster/ports.ts";
import type { RemoteCommand } from "../../sessions/ports/ownership.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { LeaseTable } from "./lease_table.ts";

export class ScriptedLeases implements LeaseStore {
  readonly joined: string[] = [];
  readonly left: string[] = [];
  renewals = 0;
  /** How often commands were looked for. */
  looks = 0;
  tidied = 0;
  /** How the database answers from now on. */
  mood: "well" | "away" | "silent" | "expired" | "broken" | "disagrees" = "well";
  /** Whether the answer to a taking gets lost on its way. */
  losesTakings = false;
  readonly #table: LeaseTable;

  /** @param keyIds this process's keys, the newest first */
  constructor(table = new LeaseTable(), readonly keyIds: readonly KeyId[] = ["key"]) {
    this.#table = table;
  }

  async join(replica: string, ttlMs: number): Promise<Arrival> {
    await this.#answer();
    this.#table.join(replica, this.keyIds, ttlMs);
    this.joined.push(replica);
    const sealed = [...this.#table.sealedWith.values()];
    return { unopened: sealed.filter((key) => !this.keyIds.includes(key)).length };
  }

  async renew(replica: string, ttlMs: number): Promise<boolean> {
    this.renewals++;
    await this.#answer();
    return this.mood !== "expired" && this.#table.renew(replica, ttlMs);
  }

  async leave(replica: string): Promise<void> {
    await this.#answer();
    this.#table.leave(replica);
    this.left.push(replica);
  }

  evict(replica: string, mark: string): Promise<boolean> {
    return this.#with((table) => table.evict(replica, mark));
  }

  async take(instanceId: string, replica: string): Promise<Taking> {
    const taking = await this.#with((table) => table.take(instanceId, replica));
    if (this.losesTakings) throw new StoreUnavailableError();
    return taking;
  }

  release(lease: Lease, rest: boolean): Promise<void> {
    return this.#with((table) => table.release(lease, rest));
  }

  markOrphaned(instanceIds: readonly string[]): Promise<void> {
    return this.#with((table) => table.markOrphaned(instanceIds));
  }

  clusterSnapshot(): Promise<ClusterSnapshot> {
    return this.#with((table) => table.clusterSnapshot());
  }

  orphans(limit: number, left: LeftToOthers = { keys: new Set(), sessions: [] }): Promise<string[]> {
    return this.#with((table) => table.orphans(limit, left));
  }

  heldBy(replica: string): Promise<string[]> {
    return this.#with((table) => table.heldBy(replica));
  }

  followKeys(): Promise<KeyRing> {
    return this.#with((table) => table.ring());
  }

  sendCommand(to: string, instanceId: string, command: RemoteCommand): Promise<number> {
    return this.#with(({ commands }) => commands.send(to, instanceId, command));
  }

  commandsFor(replica: string): Promise<AddressedCommand[]> {
    this.looks++;
    return this.#with(({ commands }) => commands.waitingFor(replica));
  }

  settleCommand(...[id, outcome]: Parameters<LeaseStore["settleCommand"]>): Promise<void> {
    return this.#with(({ commands }) => commands.settle(id, outcome));
  }

  commandState(id: number): Promise<CommandState> {
    return this.#with(({ commands, presences }) => commands.stateOf(id, (replica) => presences.has(replica)));
  }

  dropCommand(id: number): Promise<void> {
    return this.#with(({ commands }) => void commands.rows.delete(id));
  }

  tidy(): Promise<void> {
    return this.#with(() => void this.tidied++);
  }

  async #with<T>(work: (table: LeaseTable) => T): Promise<T> {
    await this.#answer();
    return work(this.#table);
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
