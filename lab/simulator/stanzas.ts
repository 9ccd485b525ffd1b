import { type BinaryNode, S_WHATSAPP_NET } from "@whiskeysockets/baileys";
import { Buffer } from "node:buffer";
import type { StreamErrorSpec } from "./endings.ts";

/** `<pair-device>` with the refs of six QRs. */
export function pairDevice(id: string, refs: readonly string[]): BinaryNode {
  const content = refs.map((ref) => ({ tag: "ref", attrs: {}, content: Buffer.from(ref) }));
  return serverSet(id, {}, { tag: "pair-device", attrs: {}, content });
}

/** `<pair-success>`. @param seconds the server's clock, UTC */
export function pairSuccess(
  id: string,
  seconds: number,
  device: { jid: string; lid: string },
  identity: Uint8Array,
): BinaryNode {
  return serverSet(id, { t: String(seconds) }, {
    tag: "pair-success",
    attrs: {},
    content: [
      { tag: "device-identity", attrs: {}, content: identity },
      { tag: "platform", attrs: { name: "android" } },
      { tag: "device", attrs: { jid: device.jid, lid: device.lid } },
    ],
  });
}

/** The demand for a passkey, in the place of pair-success. */
export function passkeyPrologue(id: string): BinaryNode {
  return { tag: "notification", attrs: { from: S_WHATSAPP_NET, type: "passkey_prologue_request", id } };
}

/** `<success>` to a login. @param seconds the server's clock, UTC */
export function success(seconds: number, lid: string): BinaryNode {
  return { tag: "success", attrs: { t: String(seconds), props: "0", location: "gateway", lid } };
}

/** Says that nothing waited while the device was away. */
export function nothingOffline(): BinaryNode {
  return { tag: "ib", attrs: {}, content: [{ tag: "offline", attrs: { count: "0" } }] };
}

/** `<failure>`, which ends a login or a registration. */
export function failure(code: number): BinaryNode {
  return { tag: "failure", attrs: { reason: String(code) } };
}

/** Says that the account has not joined multi-device. */
export function downgrade(): BinaryNode {
  return { tag: "ib", attrs: {}, content: [{ tag: "downgrade_webclient", attrs: {} }] };
}

/** `<stream:error>`. */
export function streamError({ code, child, attrs }: StreamErrorSpec): BinaryNode {
  return {
    tag: "stream:error",
    attrs: code === undefined ? {} : { code: String(code) },
    ...(child === undefined ? {} : { content: [{ tag: child, attrs: { ...attrs } }] }),
  };
}

/** The server's goodbye. */
export function streamEnd(): BinaryNode {
  return { tag: "xmlstreamend", attrs: {} };
}

/** The result of a client's iq, empty unless a child says otherwise. */
export function iqResult(id: string, child?: BinaryNode): BinaryNode {
  return {
    tag: "iq",
    attrs: { from: S_WHATSAPP_NET, type: "result", id },
    ...(child === undefined ? {} : { content: [child] }),
  };
}

/** The refusal of a client's iq. */
export function iqError(id: string, code: number): BinaryNode {
  return {
    tag: "iq",
    attrs: { from: S_WHATSAPP_NET, type: "error", id },
    content: [{ tag: "error", attrs: { code: String(code), text: "refused" } }],
  };
}

/** The first child with this tag. */
export function childOf(node: BinaryNode, tag: string): BinaryNode | undefined {
  return Array.isArray(node.content) ? node.content.find((child) => child.tag === tag) : undefined;
}

/** The bytes that a node holds, if it holds bytes. */
export function bytesOf(node: BinaryNode | undefined): Uint8Array | undefined {
  return node?.content instanceof Uint8Array ? node.content : undefined;
}

function serverSet(id: string, attrs: Record<string, string>, child: BinaryNode): BinaryNode {
  return {
    tag: "iq",
    attrs: { from: S_WHATSAPP_NET, type: "set", id, xmlns: "md", ...attrs },
    content: [child],
  };
}
