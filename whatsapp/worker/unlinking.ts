/**
 * Asking WhatsApp to unlink a device, and waiting for what it says. Baileys' own `logout` sends the request and hangs
 * up, so that nobody knows whether it arrived.
 * @module
 */
import { S_WHATSAPP_NET, type WASocket } from "./baileys.ts";

/**
 * What came of it: WhatsApp confirmed it, or answered with an error, or the connection is down, or the time was over
 * before any of these.
 */
export type UnlinkAnswer = "unlinked" | "refused" | "down" | "overdue";

/**
 * Asks for the socket's own device to be unlinked, as soon as it is logged in. Never rejects.
 * @param loggedIn resolves once WhatsApp has let the socket in
 * @param down resolves once its connection is down: Baileys forgets those who wait for an answer when it closes
 * @param limitMs how long all of it may take, in milliseconds
 */
export async function askToUnlink(
  socket: WASocket,
  loggedIn: Promise<void>,
  down: Promise<void>,
  limitMs: number,
): Promise<UnlinkAnswer> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const overdue = new Promise<"overdue">((resolve) => {
    timer = setTimeout(() => resolve("overdue"), limitMs);
  });
  const lost = down.then(() => "down" as const);
  const answered = loggedIn.then(() => ask(socket, limitMs));
  try {
    return await Promise.race([answered, lost, overdue]);
  } finally {
    clearTimeout(timer);
  }
}

async function ask(socket: WASocket, limitMs: number): Promise<UnlinkAnswer> {
  try {
    const answer = await socket.query({
      tag: "iq",
      attrs: { to: S_WHATSAPP_NET, type: "set", xmlns: "md" },
      content: [{
        tag: "remove-companion-device",
        attrs: { jid: socket.user?.id ?? "", reason: "user_initiated" },
      }],
    }, limitMs);
    return answer?.attrs.type === "result" ? "unlinked" : "overdue";
  } catch {
    return socket.ws.isOpen ? "refused" : "down";
  }
}
