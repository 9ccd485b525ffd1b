/**
 * What an instance has in the way of logins, read behind the store's back: where each of them lies, and whether it
 * opens there.
 * @module
 */
import { connect } from "../../db/database.ts";
import { CredentialKeys } from "../../db/mod.ts";
import { CREDENTIALS, HELD_KEYS, LINKS, LOGIN_KIND, RETIRED_LOGINS } from "../../db/schema.ts";
import { unseal } from "../../db/sealing.ts";
import type { Link } from "../../domain/snapshot.ts";
import type { KeyWrite } from "../../domain/credentials.ts";
import { key } from "../../lab/databases/helpers.ts";

/** A login, and its signal keys as `type/id`. */
export interface HeldLogin {
  readonly login: string;
  readonly keys: Readonly<Record<string, string>>;
}

export interface Holdings {
  readonly link: Link;
  readonly current: HeldLogin | null;
  readonly held: HeldLogin | null;
  /** The logins that wait to be unlinked, in alphabetical order. */
  readonly waiting: readonly string[];
}

export const NOTHING: Holdings = { link: "none", current: null, held: null, waiting: [] };

/** The keys of a login that are recognised as its own. */
export function keysOf(login: string): KeyWrite[] {
  return [
    { type: "session", id: "1", value: `${login} session` },
    { type: "pre-key", id: "\uFEFFá", value: `${login} pre-key` },
  ];
}

/** A login with {@link keysOf} it. */
export function whole(login: string): HeldLogin {
  const keys = keysOf(login).map(({ type, id, value }) => [`${type}/${id}`, value]);
  return { login, keys: Object.fromEntries(keys) };
}

/** Opens what this suite seals, with whichever key. */
const ANY_KEY = new CredentialKeys([key(1), key(2)]);
const UTF8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** @throws {Error} when a row lies where none may be, or does not open there */
export async function holdingsOf(url: string, instanceId: string): Promise<Holdings> {
  const { db, close } = await connect(url);
  try {
    const open = (kind: string, name: Uint8Array, sealed: Uint8Array) =>
      unseal(ANY_KEY, { instanceId, kind, name: UTF8.decode(name) }, sealed);
    const link = await db.selectFrom(LINKS).select("standing").where("instance_id", "=", instanceId)
      .executeTakeFirst();
    const rows = await db.selectFrom(CREDENTIALS).selectAll().where("instance_id", "=", instanceId)
      .where("sealed", "is not", null).orderBy("kind").execute();
    const retired = await db.selectFrom(RETIRED_LOGINS).selectAll().where("instance_id", "=", instanceId)
      .execute();
    const heldKeys = await db.selectFrom(HELD_KEYS).selectAll().where("instance_id", "=", instanceId)
      .execute();
    const loginOf = (sealed: Uint8Array) => open(LOGIN_KIND, new Uint8Array(), sealed);
    const keyed = (all: readonly { kind: string; name: Uint8Array; sealed: Uint8Array | null }[]) =>
      Object.fromEntries(
        all.filter(({ kind }) => kind !== LOGIN_KIND)
          .map(({ kind, name, sealed }) => [`${kind}/${UTF8.decode(name)}`, open(kind, name, sealed!)]),
      );
    const present = rows.find(({ kind }) => kind === LOGIN_KIND);
    const keys = keyed(rows);
    if (present === undefined && Object.keys(keys).length > 0) throw new Error("Keys without a login.");
    const held = retired.filter((row) => row.held !== null);
    if (held.length > 1) throw new Error("More than one login is held.");
    if (heldKeys.some((row) => row.login_id !== held[0]?.id)) {
      throw new Error("Keys of a login that is not held.");
    }
    if (retired.some((row) => (row.held === null) === (row.next_attempt_at === null))) {
      throw new Error("A login that waits has its next attempt, and no other.");
    }
    return {
      link: (link?.standing ?? "none") as Link,
      current: present === undefined ? null : { login: loginOf(present.sealed!), keys },
      held: held[0] === undefined ? null : { login: loginOf(held[0].sealed), keys: keyed(heldKeys) },
      waiting: retired.filter((row) => row.held === null).map((row) => loginOf(row.sealed)).sort(),
    };
  } finally {
    await close();
  }
}
