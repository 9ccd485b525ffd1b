import { Buffer } from "node:buffer";
import { proto } from "@whiskeysockets/baileys";
import { type AgreementKey, generateAgreementKey, SigningKey, verifySignature } from "./keys.ts";

/** What can be wrong with the chain that a fault makes the gateway present. */
export type CertificateFlaw = "signature" | "serial";

/** The gateway's identity: a root of its own and what it signed, made once at start. */
export interface Certificates {
  /** Public key of the root, hex, 32 bytes. */
  readonly rootKey: string;
  /** The noise key that the leaf vouches for. */
  readonly staticKey: AgreementKey;
  /** The encoded `CertChain`: sound, or with one flaw. */
  chain(flaw?: CertificateFlaw): Uint8Array;
}

const INTERMEDIATE_SERIAL = 1;
const LEAF_SERIAL = 2;
const ROOT_SERIAL = 0;

/** Makes a root, an intermediate and a leaf, and both flawed chains, so that connecting costs no signature. */
export function makeCertificates(): Certificates {
  const root = new SigningKey();
  const stranger = new SigningKey();
  const staticKey = generateAgreementKey();
  const sound = makeChain(root, ROOT_SERIAL, staticKey);
  const flawed: Record<CertificateFlaw, Uint8Array> = {
    signature: makeChain(stranger, ROOT_SERIAL, staticKey),
    serial: makeChain(root, ROOT_SERIAL + 7, staticKey),
  };
  return {
    rootKey: Buffer.from(root.publicKey).toString("hex"),
    staticKey,
    chain: (flaw) => flaw === undefined ? sound : flawed[flaw],
  };
}

/**
 * Checks a chain as a careful client does.
 * @param serverKey the noise key that was presented along with it
 * @throws {Error} that says which link does not hold
 */
export function checkChain(encoded: Uint8Array, rootKey: Uint8Array, serverKey: Uint8Array): void {
  const { leaf, intermediate } = proto.CertChain.decode(encoded);
  const issuer = proto.CertChain.NoiseCertificate.Details.decode(intermediate!.details!);
  const subject = proto.CertChain.NoiseCertificate.Details.decode(leaf!.details!);
  if (issuer.issuerSerial !== 0) throw new Error("the chain's issuer serial is not 0");
  if (!verifySignature(rootKey, intermediate!.details!, intermediate!.signature!)) {
    throw new Error("the root did not sign the intermediate");
  }
  if (!verifySignature(issuer.key!, leaf!.details!, leaf!.signature!)) {
    throw new Error("the intermediate did not sign the leaf");
  }
  if (Buffer.compare(subject.key!, serverKey) !== 0) throw new Error("the leaf vouches for another key");
}

function makeChain(issuer: SigningKey, issuerSerial: number, leafKey: AgreementKey): Uint8Array {
  const intermediate = new SigningKey();
  return proto.CertChain.encode({
    intermediate: certify(issuer, { serial: INTERMEDIATE_SERIAL, issuerSerial, key: intermediate.publicKey }),
    leaf: certify(intermediate, {
      serial: LEAF_SERIAL,
      issuerSerial: INTERMEDIATE_SERIAL,
      key: leafKey.publicKey,
    }),
  }).finish();
}

function certify(
  issuer: SigningKey,
  subject: { serial: number; issuerSerial: number; key: Uint8Array },
): { details: Uint8Array; signature: Uint8Array } {
  const details = proto.CertChain.NoiseCertificate.Details.encode(subject).finish();
  return { details, signature: issuer.sign(details) };
}
