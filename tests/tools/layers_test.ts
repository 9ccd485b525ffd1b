import assert from "node:assert/strict";
import { faultsOf } from "../../tools/layers.ts";

Deno.test("faultsOf() names an import that points the wrong way", () => {
  for (
    const [file, source] of [
      ["domain/a.ts", 'import { x } from "../db/mod.ts";'],
      ["domain/a.ts", 'import { z } from "zod";'],
      ["domain/a.ts", "const now = Date.now();"],
      ["db/a.ts", 'import type { X } from "../whatsapp/manager.ts";'],
      ["db/a.ts", 'export * from "../routes/app.ts";'],
      ["routes/a.ts", 'import {\n  a,\n  b,\n} from "../whatsapp/manager.ts";'],
      ["routes/a.ts", 'const x = await import("../db/mod.ts");'],
      ["whatsapp/a.ts", 'import "../db/mod.ts";'],
      ["whatsapp/supervisor.ts", 'import { proto } from "@whiskeysockets/baileys";'],
      ["whatsapp/a.ts", 'import { Hono } from "hono/tiny";'],
    ] as const
  ) assert.equal(faultsOf(file, source).length, 1, source);
});

Deno.test("faultsOf() is silent when imports point the right way", () => {
  for (
    const [file, source] of [
      ["domain/a.ts", 'import { x } from "./b.ts";'],
      ["db/a.ts", 'import { x } from "../domain/mod.ts";\nimport { Kysely } from "kysely";'],
      ["whatsapp/worker/baileys.ts", 'export { proto } from "@whiskeysockets/baileys";'],
      ["service.ts", 'import { x } from "./whatsapp/manager.ts";'],
      ["tests/a_test.ts", 'import { x } from "../db/mod.ts";'],
    ] as const
  ) assert.deepEqual(faultsOf(file, source), [], source);
});
