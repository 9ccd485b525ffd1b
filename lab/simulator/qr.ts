import { Buffer } from "node:buffer";
import jsQR from "jsqr";
import { PNG } from "pngjs";

/** What a pairing QR says. */
export interface PairingText {
  readonly ref: string;
  /** The client's noise public key. */
  readonly noiseKey: Uint8Array;
  /** The client's identity public key. */
  readonly identityKey: Uint8Array;
  /** The secret that authenticates the phone's answer. */
  readonly advSecret: Uint8Array;
  /** The kind of client, as a number in text. */
  readonly platform: string;
}

const DATA_URL_PREFIX = "data:image/png;base64,";
const LINK_PREFIX = "https://wa.me/settings/linked_devices#";
const KEY_BYTES = 32;
/** A glance looks at every so manyth pixel; it costs half of a look. */
const GLANCE = 3;

/**
 * Reads a QR as a phone's camera would: from the picture alone.
 * @param dataUrl `data:image/png;base64,…`
 * @throws {Error} when it is no such URL, no PNG, or a PNG without a QR
 */
export function readQrImage(dataUrl: string): string {
  if (!dataUrl.startsWith(DATA_URL_PREFIX)) throw new Error("a QR must be a data URL of a PNG, in base64");
  let image: Picture;
  try {
    image = PNG.sync.read(Buffer.from(dataUrl.slice(DATA_URL_PREFIX.length), "base64"));
  } catch (cause) {
    throw new Error("the data URL holds no readable PNG", { cause });
  }
  const code = decode(fromAfar(image)) ?? decode(image);
  if (code === null) throw new Error("the PNG holds no QR that can be read");
  return code.data;
}

interface Picture {
  /** Four bytes a pixel. */
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

function decode({ data, width, height }: Picture) {
  return jsQR.default(new Uint8ClampedArray(data), width, height, { inversionAttempts: "dontInvert" });
}

/** The picture at a third of its size. */
function fromAfar({ data, width, height }: Picture): Picture {
  const near = new Uint32Array(Uint8Array.from(data).buffer);
  const [columns, rows] = [Math.floor(width / GLANCE), Math.floor(height / GLANCE)];
  const far = new Uint32Array(columns * rows);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) far[y * columns + x] = near[GLANCE * (y * width + x)]!;
  }
  return { data: new Uint8Array(far.buffer), width: columns, height: rows };
}

/**
 * Takes a pairing text apart.
 * @throws {Error} when it is not one
 */
export function parsePairingText(text: string): PairingText {
  if (!text.startsWith(LINK_PREFIX)) {
    throw new Error("the QR is no pairing QR: it does not link to linked devices");
  }
  const parts = text.slice(LINK_PREFIX.length).split(",");
  if (parts.length !== 5) throw new Error(`a pairing QR has 5 parts, this one ${parts.length}`);
  const [ref, noiseKey, identityKey, advSecret, platform] = parts as [string, string, string, string, string];
  return {
    ref,
    noiseKey: readKey("noise key", noiseKey),
    identityKey: readKey("identity key", identityKey),
    advSecret: readKey("adv secret", advSecret),
    platform,
  };
}

function readKey(name: string, base64: string): Uint8Array {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.length !== KEY_BYTES) {
    throw new Error(`the ${name} of a pairing QR is 32 bytes, not ${bytes.length}`);
  }
  return bytes;
}
