/**
 * The pairing text as a picture that a phone can scan.
 * @module
 */
import QRCode from "qrcode";

/**
 * A PNG with the exact text and the quiet zone of four modules that the standard asks for.
 * @returns `data:image/png;base64,…`
 */
export function renderQr(text: string): Promise<string> {
  return QRCode.toDataURL(text, { type: "image/png", errorCorrectionLevel: "M", margin: 4, scale: 6 });
}
