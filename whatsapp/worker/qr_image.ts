/**
 * The pairing text as a picture that a phone can scan.
 * @module
 */
import QRCode from "qrcode";

/** The quiet zone of four modules is the standard's. In grey, a picture has 0.57 of the bytes it has in colour. */
const PICTURE = {
  type: "image/png",
  errorCorrectionLevel: "M",
  margin: 4,
  scale: 6,
  rendererOpts: { colorType: 0 },
} as const;

/**
 * A PNG with the exact text.
 * @returns `data:image/png;base64,…`
 */
export function renderQr(text: string): Promise<string> {
  return QRCode.toDataURL(text, PICTURE);
}
