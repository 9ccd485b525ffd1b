/**
 * Credentials and signal keys as text, for the main thread to seal and keep. Their shape is Baileys'
 * affair and is known here alone.
 * @module
 */
import type { KeyWrite } from "../../domain/credentials.ts";
import {
  type AuthenticationCreds,
  BufferJSON,
  proto,
  type SignalDataSet,
  type SignalDataTypeMap,
} from "./baileys.ts";

/** A login's credentials as text; {@link decodeCredentials} reads it. */
export function encodeCredentials(credentials: AuthenticationCreds): string {
  return JSON.stringify(credentials, BufferJSON.replacer);
}

/** @throws {SyntaxError} when the text is no JSON */
export function decodeCredentials(text: string): AuthenticationCreds {
  return JSON.parse(text, BufferJSON.reviver);
}

/** The keys of one `keys.set`, however many; an absent value erases. */
export function encodeKeys(data: SignalDataSet): KeyWrite[] {
  return Object.entries(data).flatMap(([type, values]) =>
    Object.entries(values ?? {}).map(([id, value]) => ({
      type,
      id,
      value: value === null || value === undefined ? null : JSON.stringify(value, BufferJSON.replacer),
    }))
  );
}

/** One signal key, in the form that Baileys expects of a store. */
export function decodeKey<T extends keyof SignalDataTypeMap>(type: T, text: string): SignalDataTypeMap[T] {
  const value = JSON.parse(text, BufferJSON.reviver);
  if (type !== "app-state-sync-key") return value;
  return proto.Message.AppStateSyncKeyData.fromObject(value) as unknown as SignalDataTypeMap[T];
}
