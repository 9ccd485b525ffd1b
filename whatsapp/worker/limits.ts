/**
 * What may be said of keys, and how what is named by others may be spelt. The worker keeps to it, whatever Baileys or a stranger's message makes up, and the main
 * thread believes no worker that does not.
 * @module
 */

/** Characters of a key's type, at most; ASCII alone. */
const TYPE_CHARACTERS = 64;
/** Bytes of a key's id in UTF-8, at most. */
const ID_BYTES = 255;
/** Characters of one key, or of a login's credentials, at most; the largest seen have some 100,000. */
const VALUE_CHARACTERS = 4 * 2 ** 20;
/** Keys in one message, at most; Baileys writes 812 at a first login. */
const KEYS = 100_000;
/** Characters of all keys in one message, at most. */
const MESSAGE_CHARACTERS = 32 * 2 ** 20;

/** The store's own name for a login's credentials, which no key may have as its type. */
const LOGIN_KIND = "creds";
const ASCII = /^[\x21-\x7e]+$/;
const encoder = new TextEncoder();
const room = new Uint8Array(ID_BYTES);

/** Whether the store takes this as the type of a key. */
export function isKeyType(type: unknown): type is string {
  return typeof type === "string" && type.length <= TYPE_CHARACTERS && type !== LOGIN_KIND &&
    ASCII.test(type);
}

/** Whether the store takes this as the id of a key. */
export function isKeyId(id: unknown): id is string {
  if (typeof id !== "string" || id.length > ID_BYTES || !id.isWellFormed()) return false;
  // A character has three bytes at most.
  return id.length * 3 <= ID_BYTES || encoder.encodeInto(id, room).read === id.length;
}

/** Whether this is a list of ids of keys. */
export function areKeyIds(ids: unknown): ids is readonly string[] {
  if (!Array.isArray(ids) || ids.length > KEYS) return false;
  for (let i = 0; i < ids.length; i++) if (!isKeyId(ids[i])) return false;
  return true;
}

/** Whether this is a list of keys that the store takes. */
export function areKeyWrites(keys: unknown): boolean {
  if (!Array.isArray(keys) || keys.length > KEYS) return false;
  let characters = 0;
  for (let i = 0; i < keys.length; i++) {
    const key: unknown = keys[i];
    if (typeof key !== "object" || key === null) return false;
    const { type, id, value } = key as Record<string, unknown>;
    if (!isKeyType(type) || !isKeyId(id) || (value !== null && !isText(value))) return false;
    characters += value?.length ?? 0;
  }
  return characters <= MESSAGE_CHARACTERS;
}

/** Whether the store takes this as a text: credentials, or the value of a key. */
export function isText(text: unknown): text is string {
  return typeof text === "string" && text.length > 0 && text.length <= VALUE_CHARACTERS &&
    text.isWellFormed();
}

/** The name of an error, of a stanza or of its type, as it may be told and logged. */
const NAME = /^[\w$.:-]{1,64}$/;

/** Whether this is a name that may be told and logged. */
export function isName(name: unknown): name is string {
  return typeof name === "string" && name.length <= 64 && NAME.test(name);
}
