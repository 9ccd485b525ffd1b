/**
 * How a socket ended, in the domain's terms. Baileys folds very different ends into one number (a
 * proxy's 401 looks like an unlinked phone, a refused connection like a timeout), so what was seen on
 * the wire before the end decides who is speaking.
 * @module
 */
import type { WorkerCause } from "../protocol.ts";
import type { BinaryNode } from "./baileys.ts";
import { isName } from "./limits.ts";

/** The last thing that was seen on the wire and can end a socket. */
export type LastSign =
  | { readonly kind: "whatsapp"; readonly tag?: string; readonly type?: string }
  | { readonly kind: "silence" }
  | { readonly kind: "refused_upgrade"; readonly status: number }
  | { readonly kind: "socket_error"; readonly errno: string | undefined; readonly timedOut: boolean }
  | null;

/**
 * @param sign what was seen on the wire, if anything
 * @param error what Baileys ended the connection with
 */
export function causeOf(sign: LastSign, error: unknown): WorkerCause {
  const code = statusCodeOf(error);
  switch (sign?.kind) {
    case "whatsapp":
      return {
        origin: "whatsapp",
        code,
        ...(isName(sign.tag) ? { tag: sign.tag } : {}),
        ...(isName(sign.type) ? { kind: sign.type } : {}),
      };
    case "silence":
      return { origin: "client", code: 408 };
    case "refused_upgrade":
      return { origin: "network", status: wholeCode(sign.status) };
    case "socket_error":
      return sign.timedOut
        ? { origin: "client", code: 408 }
        : { origin: "network", ...(isName(sign.errno) ? { errno: sign.errno } : {}) };
    default:
      return { origin: "client", code };
  }
}

/** The sign that a stream error is, by its child. */
export function streamErrorSign({ content }: BinaryNode): LastSign {
  const [child] = Array.isArray(content) ? content : [];
  const type = child?.attrs.type;
  return {
    kind: "whatsapp",
    ...(child === undefined ? {} : { tag: child.tag }),
    ...(type === undefined ? {} : { type }),
  };
}

/**
 * Whether WhatsApp tells, by this `<failure>` or `<stream:error>`, that it knows no such device, or no longer does. The
 * same ends are `logged_out` in the table of ends.
 */
export function deniesDevice(node: BinaryNode): boolean {
  const [child] = Array.isArray(node.content) ? node.content : [];
  const kind = child?.tag === "conflict" ? child.attrs.type : undefined;
  if (kind === "device_removed") return true;
  return kind !== "replaced" && Number(node.attrs.reason ?? node.attrs.code) === 401;
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
  return wholeCode(code);
}

/** A code as the main thread takes it; 0 for what is none. */
function wholeCode(code: unknown): number {
  return Number.isInteger(code) && (code as number) >= 0 && (code as number) <= 999 ? code as number : 0;
}
