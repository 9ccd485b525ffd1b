/**
 * Who may call: `Authorization: Bearer <key>`, one set of keys for the Hub and one for internal callers.
 *
 * Source: decisions, "Callers" and "Configuration".
 * @module
 */
import { checkLocal, type Incoming } from "./callers.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** What a caller has to be for a route: the Hub, another part of the same system, or anybody. */
export type Role = "hub" | "internal" | "anyone";

/** A caller that may go on. */
export interface Caller {
  readonly kind: "caller";
  /** The key that it has presented; empty where none is asked for. Kept in memory, never logged. */
  readonly key: string;
}

const BEARER = /^bearer +(\S+) *$/i;
const USUAL = "Bearer ";

/**
 * Keys, one of which a caller has to present.
 *
 * All of them are compared, whole and over the same number of bytes whatever was presented, so that neither a
 * key's length nor its beginning can be felt out. Digests would do the same for twenty times the price: 25 µs
 * of processor time a request, more than all the rest of it.
 */
export class Keyring {
  readonly #keys: readonly { readonly key: string; readonly codes: Uint16Array }[];
  readonly #size: number;

  constructor(keys: readonly string[]) {
    const size = Math.max(0, ...keys.map(({ length }) => length));
    this.#size = size;
    this.#keys = keys.map((key) => ({
      key,
      codes: Uint16Array.from({ length: size }, (_, i) => codeAt(key, i)),
    }));
  }

  /** True when no key is asked for. */
  get isEmpty(): boolean {
    return this.#keys.length === 0;
  }

  /**
   * The key that a caller has presented, or null when it is none of these.
   * @param header of a request, `Authorization`
   */
  identify(header: string | null): string | null {
    const presented = presentedIn(header ?? "");
    let identified: string | null = null;
    for (const { key, codes } of this.#keys) if (isSame(codes, presented)) identified = key;
    // What is longer than every key has not been read to its end, and is none of them.
    return presented.length <= this.#size ? identified : null;
  }
}

/** The key in a header; nothing where there is none. */
function presentedIn(header: string): string {
  // As nearly everybody writes it, and quicker to tell than by the expression.
  if (header.startsWith(USUAL) && header.lastIndexOf(" ") < USUAL.length) return header.slice(USUAL.length);
  return BEARER.exec(header)?.[1] ?? "";
}

/** Compares every character. A key holds no zero, so that what is shorter differs in its padding. */
function isSame(key: Uint16Array, presented: string): boolean {
  let difference = 0;
  for (let i = 0; i < key.length; i++) difference |= key[i]! ^ codeAt(presented, i);
  return difference === 0;
}

function codeAt(text: string, index: number): number {
  return index < text.length ? text.charCodeAt(index) : 0;
}

const KEYLESS: Caller = { kind: "caller", key: "" };
const UNAUTHORIZED = refuse("UNAUTHORIZED", undefined, { "www-authenticate": "Bearer" });

/**
 * Tells the caller of a request, or why it is refused. A role with keys is who presents one of them, wherever it
 * comes from: pages of other sites have none. Of a role without keys are the programs of this machine alone, and
 * where no role has keys so is anyone.
 */
export function callerGuard(
  keyrings: Readonly<Record<Exclude<Role, "anyone">, Keyring>>,
): (request: Incoming, role: Role) => Caller | Refusal {
  const hasKeys = Object.values(keyrings).some(({ isEmpty }) => !isEmpty);
  return (request, role) => {
    if (role === "anyone" && hasKeys) return KEYLESS;
    if (role === "anyone" || keyrings[role].isEmpty) return checkLocal(request) ?? KEYLESS;
    const key = keyrings[role].identify(request.headers.get("authorization"));
    return key === null ? UNAUTHORIZED : { kind: "caller", key };
  };
}
