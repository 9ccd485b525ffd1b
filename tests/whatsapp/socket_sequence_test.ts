import assert from "node:assert/strict";
import fc from "fast-check";
import { SocketSequence, type SocketStep } from "../../whatsapp/socket_sequence.ts";
import { GOOD } from "./messages.ts";

Deno.test("SocketSequence allows a step exactly when it can come next, or the socket was told to close", () => {
  const kinds = ["pair", "login", "unlink"] as const;
  const types = [
    "qr",
    "paired",
    "passkey_demanded",
    "identified",
    "connected",
    "closed",
    "gone",
    "load_keys",
    "save_keys",
  ] as const;
  const step = fc.oneof(fc.constantFrom(...types), fc.constantFrom("stored", "closing"));
  fc.assert(fc.property(fc.constantFrom(...kinds), fc.array(step, { maxLength: 30 }), (kind, steps) => {
    const sequence = new SocketSequence(kind);
    const past: string[] = [];
    let isClosing = false;
    let qrs = 0;
    for (const what of steps) {
      if (what === "closing") {
        isClosing = true;
        sequence.markClosing();
      } else if (what === "stored") {
        sequence.markStored();
        if (!isClosing && past.includes("paired")) past.push("stored");
      } else {
        const { event, request } = GOOD[what];
        const content = (event ?? request ?? GOOD[what]) as SocketStep;
        const isAllowed = sequence.allows(content.type === "qr" ? { ...content, ordinal: qrs++ } : content);
        assert.equal(
          isAllowed,
          isClosing ? !past.includes("gone") : fits(kind, past, what),
          `${past} then ${what}`,
        );
        if (!isAllowed) return; // the worker is given up
        past.push(what);
      }
    }
  }));
});

/** The same by what has come before: what can come next on a socket that was not told to close. */
function fits(kind: string, past: readonly string[], what: string): boolean {
  const has = (name: string) => past.includes(name);
  if (has("gone")) return false;
  if (what === "gone") return has("closed");
  if (has("closed")) return what === "load_keys" || what === "save_keys"; // they are answered as failed
  switch (what) {
    case "closed":
      return true;
    case "qr":
    case "paired":
    case "passkey_demanded":
      return kind === "pair" && !has("paired");
    case "identified":
      return kind !== "pair" && !has("identified") && !has("connected");
    case "connected":
      return kind === "login" && has("identified") && !has("connected");
    default:
      return kind === "login" || (kind === "pair" && has("stored"));
  }
}
