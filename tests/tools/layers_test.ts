import assert from "node:assert/strict";
import { circlesOf, faultsOf } from "../../tools/layers.ts";

Deno.test("faultsOf() names an import that points the wrong way", () => {
  for (
    const [file, source] of [
      ["domain/a.ts", 'import { x } from "../db/mod.ts";'],
      ["domain/a.ts", 'import { z } from "zod";'],
      ["domain/a.ts", "const now = Date.now();"],
      ["db/a.ts", 'import type { X } from "../sessions/manager.ts";'],
      ["db/a.ts", 'import type { X } from "../whatsapp/protocol.ts";'],
      ["db/a.ts", 'export * from "../routes/app.ts";'],
      ["routes/a.ts", 'import { \n  a, \n  b, \n } from "../whatsapp/manager.ts";'],
      ["routes/a.ts", 'const x = await import("../db/mod.ts");'],
      ["whatsapp/a.ts", 'import "../db/mod.ts";'],
      ["whatsapp/a.ts", 'import { proto } from "@whiskeysockets/baileys";'],
      ["whatsapp/a.ts", 'import { Hono } from "hono/tiny";'],
      ["sessions/a.ts", 'import { x } from "../cluster/replica.ts";'],
      ["packages/contract/a.ts", 'import { x } from "../../domain/session.ts";'],
      ["lab/a.ts", 'import { x } from "../tests/e2e/world.ts";'],
      ["attic/a.ts", ""],
    ] as const
  ) assert.equal(faultsOf(file, source).length, 1, source);
});

Deno.test("faultsOf() is silent when imports point the right way", () => {
  for (
    const [file, source] of [
      ["domain/a.ts", 'import { x } from "./b.ts";'],
      ["db/a.ts", 'import { x } from "../domain/session.ts";\nimport { Kysely } from "kysely";'],
      ["whatsapp/worker/baileys.ts", 'export { proto } from "@whiskeysockets/baileys";'],
      [
        "db/a.ts",
        'import { x } from "../sessions/ports/store.ts";\nimport { y } from "../cluster/ports.ts";',
      ],
      ["domain/a.ts", 'import { x } from "@session-manager/contract";'],
      ["service.ts", 'import { x } from "./sessions/manager.ts";'],
      ["tests/a_test.ts", 'import { x } from "../db/mod.ts";'],
    ] as const
  ) assert.deepEqual(faultsOf(file, source), [], source);
});

Deno.test("circlesOf() names the files of a circle, be it of types alone", () => {
  const sources = new Map([
    ["a/a.ts", 'import type { B } from "../b/b.ts";'],
    ["b/b.ts", 'import { c } from "./c.ts";'],
    ["b/c.ts", 'import "../a/a.ts";'],
    ["d.ts", 'import "./a/a.ts";'],
  ]);
  assert.deepEqual(circlesOf(sources), [["a/a.ts", "b/b.ts", "b/c.ts", "a/a.ts"]]);
  assert.deepEqual(circlesOf(new Map([...sources].filter(([file]) => file !== "b/c.ts"))), []);
});
