/**
 * The only file that imports Baileys. Everything that the product uses of it is named here.
 * @module
 */
export {
  type AuthenticationCreds,
  type BinaryNode,
  BufferJSON,
  Curve,
  DisconnectReason,
  initAuthCreds,
  makeWASocket,
  proto,
  S_WHATSAPP_NET,
  type SignalDataSet,
  type SignalDataTypeMap,
  type SignalKeyStore,
  WA_CERT_DETAILS,
  type WASocket,
} from "@whiskeysockets/baileys";

/** Baileys' logger, silent: what it would log holds keys and whole messages. */
export const silentLogger = {
  level: "silent",
  child: () => silentLogger,
  trace: () => {},
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
