/**
 * The phone number behind a WhatsApp login.
 * @module
 */
import { PHONE_NUMBER } from "@session-manager/contract";

/**
 * The E.164 number in a login's JID (`5491155550001:12@s.whatsapp.net`).
 * @returns null when the JID names no phone number (a `@lid` address, say)
 */
export function phoneNumberOf(jid: string): string | null {
  const [, digits] = /^(\d+)(?::\d+)?@s\.whatsapp\.net$/.exec(jid) ?? [];
  const number = `+${digits ?? ""}`;
  return PHONE_NUMBER.test(number) ? number : null;
}
