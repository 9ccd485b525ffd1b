/**
 * `deno task openapi`: writes the contract's OpenAPI document to `openapi.json`, from the schemas that
 * validate. With `--check` it writes nothing, and fails when the file differs.
 * @module
 */
import { createApp } from "../routes/app.ts";

const FILE = new URL("../openapi.json", import.meta.url);

/** The document as it has to be in the file. */
export function documentText(): string {
  const nobody = () => Promise.reject(new Error("Nobody is served here."));
  const app = createApp({
    sessions: { read: nobody, requestQr: nobody, reportConnected: nobody, reportDisconnected: nobody },
    operations: { readiness: nobody, metrics: nobody },
    hubKeys: [],
    internalKeys: [],
    rateLimits: { key: 0, read: 0, qr: 0 },
    log: { debug: () => {}, info: () => {}, error: () => {} },
    meter: { observe: () => {} },
  });
  return `${JSON.stringify(app.document(), null, 2)}\n`;
}

if (import.meta.main) {
  const text = documentText();
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(FILE, text);
  } else if (await Deno.readTextFile(FILE) !== text) {
    console.error("openapi.json differs from the schemas: run `deno task openapi`.");
    Deno.exit(1);
  }
}
