/**
 * Baileys' view of the signal keys of one login. They live in the main thread's database; nothing is
 * acknowledged to Baileys before it is durable there.
 * @module
 */
import type { KeyWrite } from "../../domain/credentials.ts";
import type { SignalDataTypeMap, SignalKeyStore } from "./baileys.ts";
import { decodeKey, encodeKeys } from "./codec.ts";
import { areKeyIds, areKeyWrites, isKeyType } from "./limits.ts";

/** Where keys are kept: the main thread, reached by message. */
export interface Vault {
  load(keyType: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Resolves once all of it is durable. */
  save(keys: readonly KeyWrite[]): Promise<void>;
}

/**
 * Rejects whatever is asked of the vault, or answered by it, once the socket is over: Baileys would put the answer
 * into caches that it has emptied for the last time, and whose timers keep it for days.
 */
export function rejectAfterClose(vault: Vault, isOver: () => boolean): Vault {
  const unlessOver = async <T>(ask: () => Promise<T>): Promise<T> => {
    const value = isOver() ? null : { of: await ask() };
    if (value === null || isOver()) throw new Error("The socket is over.");
    return value.of;
  };
  return {
    load: (keyType, ids) => unlessOver(() => vault.load(keyType, ids)),
    save: (keys) => unlessOver(() => vault.save(keys)),
  };
}

/**
 * The keys of a login that is in use. What the store would not take is refused here, where it costs the message that
 * it came with, and not the worker.
 */
export function vaultKeyStore(vault: Vault): SignalKeyStore {
  return {
    async get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      if (!isKeyType(type) || !areKeyIds(ids)) throw new RangeError("There can be no such key.");
      return decodeAll(type, await vault.load(type, ids));
    },
    async set(data) {
      const keys = encodeKeys(data);
      if (!areKeyWrites(keys)) throw new RangeError("There can be no such key.");
      if (keys.length > 0) await vault.save(keys);
    },
  };
}

/**
 * The keys of a login that is not stored yet. They stay here until the phone has scanned, and then go to the vault
 * together with the credentials: a pairing that is not completed leaves no trace.
 */
export class PendingKeys implements Vault {
  readonly #keys = new Map<string, KeyWrite>();
  /** Those of them that were written since they were last taken. */
  readonly #fresh = new Map<string, KeyWrite>();

  load(keyType: string, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const id of ids) {
      const value = this.#keys.get(`${keyType}/${id}`)?.value;
      if (typeof value === "string") found.set(id, value);
    }
    return Promise.resolve(found);
  }

  save(keys: readonly KeyWrite[]): Promise<void> {
    for (const key of keys) {
      const name = `${key.type}/${key.id}`;
      this.#keys.set(name, key);
      this.#fresh.set(name, key);
    }
    return Promise.resolve();
  }

  /** What was written since the last call, for the vault. */
  take(): KeyWrite[] {
    const fresh = [...this.#fresh.values()];
    this.#fresh.clear();
    return fresh;
  }
}

function decodeAll<T extends keyof SignalDataTypeMap>(
  type: T,
  values: ReadonlyMap<string, string>,
): { [id: string]: SignalDataTypeMap[T] } {
  const decoded: { [id: string]: SignalDataTypeMap[T] } = {};
  for (const [id, text] of values) decoded[id] = decodeKey(type, text);
  return decoded;
}
