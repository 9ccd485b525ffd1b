/**
 * How a socket ended, in the domain's words. Baileys folds very different ends into one number (a
 * proxy's 401 looks like an unlinked phone, a refused connection like a timeout), so what was seen on
 * the wire before the end decides who is speaking.
 * @module
 */
import type { DisconnectCause } from "../../domain/disconnect.ts";

/** The last thing that was seen on the wire and can end a socket. */
export type LastSign =
  | { readonly kind: "whatsapp" }
  | { readonly kind: "refused_upgrade"; readonly status: number }
  | { readonly kind: "socket_error"; readonly errno: string | undefined; readonly timedOut: boolean }
  | null;

/**
 * @param sign what was seen on the wire, if anything
 * @param error what Baileys ended the connection with
 */
export function causeOf(sign: LastSign, error: unknown): DisconnectCause {
  const code = statusCodeOf(error);
  switch (sign?.kind) {
    case "whatsapp":
      return { origin: "whatsapp", code };
    case "refused_upgrade":
      return { origin: "network", status: sign.status };
    case "socket_error":
      return sign.timedOut
        ? { origin: "client", code: 408 }
        : { origin: "network", ...(sign.errno === undefined ? {} : { errno: sign.errno }) };
    default:
      return { origin: "client", code };
  }
}

/** A socket error's code and whether it was the opening handshake that ran out of time. */
export function socketErrorSign(error: unknown): LastSign {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return {
    kind: "socket_error",
    errno: typeof code === "string" ? code : undefined,
    timedOut: typeof message === "string" && message.includes("timed out"),
  };
}

/** 0 for an error that carries no code: something threw. */
function statusCodeOf(error: unknown): number {
  const code = (error as { output?: { statusCode?: unknown } } | undefined)?.output?.statusCode;
  return typeof code === "number" ? code : 0;
}
