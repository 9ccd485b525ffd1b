/**
 * Logins of bare Baileys: new, in memory, in the library's own multi-file store, and as lines of a file, in
 * which one process leaves to others what it has paired.
 * @module
 */
import {
  type AuthenticationCreds,
  BufferJSON,
  initAuthCreds,
  makeCacheableSignalKeyStore,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  useMultiFileAuthState,
} from "@whiskeysockets/baileys";
import { silentLogger } from "../../../whatsapp/worker/baileys.ts";

/** What a socket needs of a login. */
export interface Login {
  readonly creds: AuthenticationCreds;
  readonly keys: SignalKeyStore;
  /** Called after each change of the credentials. */
  save(): Promise<void> | void;
  /** The keys, where they are in memory. */
  readonly inMemory?: ReadonlyMap<string, unknown>;
}

/** A login as it is left to others. Credentials and values in the library's own JSON. */
export interface StoredLogin {
  /** The login's device, `5491155550001:12@s.whatsapp.net`. */
  readonly jid: string;
  readonly credentials: string;
  readonly keys: readonly { readonly type: string; readonly id: string; readonly value: string }[];
}

export function newLogin(): Login {
  return inMemory(initAuthCreds(), new Map());
}

/** A login with its keys in a `Map`, as if this process had paired it. */
export function memoryLogin({ credentials, keys }: StoredLogin): Login {
  const map = new Map<string, unknown>();
  for (const { type, id, value } of keys) map.set(`${type}/${id}`, JSON.parse(value, BufferJSON.reviver));
  return inMemory(JSON.parse(credentials, BufferJSON.reviver), map);
}

/**
 * A login in the library's multi-file store, with its cache, as its example has it. Of the keys only the
 * credentials are laid in the folder: a login reads no others, and each would be a file.
 */
export async function filesLogin({ jid, credentials }: StoredLogin, folder: string): Promise<Login> {
  const place = `${folder}/${jid.replaceAll(/[^\w]/g, "_")}`;
  await Deno.mkdir(place, { recursive: true });
  await Deno.writeTextFile(`${place}/creds.json`, credentials);
  const { state, saveCreds } = await useMultiFileAuthState(place);
  return {
    creds: state.creds,
    keys: makeCacheableSignalKeyStore(state.keys, silentLogger),
    save: saveCreds,
  };
}

/** Writes logins whose keys are in memory, one a line. */
export async function writeLogins(path: string, logins: readonly Login[]): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, append: true });
  const encoder = new TextEncoder();
  for (const { creds, inMemory = new Map() } of logins) {
    const keys = Array.from(inMemory, ([name, value]) => {
      const cut = name.indexOf("/");
      return {
        type: name.slice(0, cut),
        id: name.slice(cut + 1),
        value: JSON.stringify(value, BufferJSON.replacer),
      };
    });
    const stored: StoredLogin = {
      jid: creds.me?.id ?? "",
      credentials: JSON.stringify(creds, BufferJSON.replacer),
      keys,
    };
    const bytes = encoder.encode(`${JSON.stringify(stored)}\n`);
    for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
  }
}

/** The first logins of a file. */
export async function* readLogins(path: string, count: number): AsyncGenerator<StoredLogin> {
  let left = count;
  if (left === 0) return;
  for await (const line of lines(path)) {
    yield JSON.parse(line);
    if (--left === 0) return;
  }
}

async function* lines(path: string): AsyncGenerator<string> {
  using file = await Deno.open(path);
  let rest = "";
  for await (const text of file.readable.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

function inMemory(creds: AuthenticationCreds, map: Map<string, unknown>): Login {
  return { creds, keys: memoryKeys(map), save: () => {}, inMemory: map };
}

function memoryKeys(map: Map<string, unknown>): SignalKeyStore {
  return {
    get<T extends keyof SignalDataTypeMap>(type: T, ids: string[]) {
      const found: Record<string, SignalDataTypeMap[T]> = {};
      for (const id of ids) {
        const value = map.get(`${type}/${id}`);
        if (value !== undefined) found[id] = value as SignalDataTypeMap[T];
      }
      return found;
    },
    set(data: SignalDataSet) {
      for (const [type, values] of Object.entries(data)) {
        for (const [id, value] of Object.entries(values ?? {})) {
          if (value === null) map.delete(`${type}/${id}`);
          else map.set(`${type}/${id}`, value);
        }
      }
    },
  };
}
