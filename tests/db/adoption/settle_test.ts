/** What becomes of rows that are taken over is what the domain makes of such sessions at a start, whatever they are. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { disconnected } from "../../../domain/changes.ts";
import { atRest, DEFAULT_POLICY } from "../../../domain/snapshot.ts";
import { WHATSAPP_QR_LIFE } from "../../../domain/qr.ts";
import type { Session } from "../../../domain/session.ts";
import { transition } from "../../../domain/transition.ts";
import { instantFormat } from "../../../db/dialect.ts";
import { MIGRATIONS } from "../../../db/migrations/mod.ts";
import { migrate } from "../../../db/mod.ts";
import { columnsOf } from "../../../db/rows.ts";
import { dialectTest, mysql, open, query, sessions, SQLITE } from "../../../lab/databases/helpers.ts";

/** The first instant that is not a session's of before. */
const THEN = Date.UTC(2038, 0, 1);

function settled(session: Session): Session {
  const policy = { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 1 };
  const at = { now: THEN, steady: 0, random: 0, tearingDown: false, retiredId: "", policy };
  // A start believes it, since somebody may have reported it; here nobody can have.
  if (session.status === "connected") return disconnected(session, "UNKNOWN", THEN);
  return transition(atRest(session, "none"), { type: "restored" }, at).snapshot.session;
}

const quoted = (value: unknown) =>
  value === null ? "null" : `'${String(value).replaceAll("'", "''").replaceAll("\\", "")}'`;

for (const dialect of [SQLITE, await mysql()]) {
  dialectTest(
    dialect,
    "rows that are taken over are settled as the domain settles sessions without a login",
    async (url) => {
      await query(url, MIGRATIONS[0]!.statements[dialect.name][0]!);
      const given = Array.from({ length: 120 }, (_, n) => fc.sample(sessions(`s${n}`), 1)[0]!)
        .map((session) =>
          session.lastError === null
            ? session
            : { ...session, lastError: { ...session.lastError, message: "m" } } as Session
        );
      const began = Date.now();
      for (const session of given) {
        const row = { instance_id: session.instanceId, ...columnsOf(session, instantFormat(dialect.name)) };
        await query(
          url,
          `insert into ll_whatsapp_qr_sessions (${Object.keys(row).join(", ")}) values (${
            Object.values(row).map(quoted).join(", ")
          })`,
        );
      }
      await migrate(url);
      await using store = await open(url);
      for (const session of given) {
        const wanted = settled(session);
        const found = (await store.find(session.instanceId))!.session;
        const now = wanted.updatedAt === THEN ? found.updatedAt : THEN;
        // By the database's clock, which is this machine's.
        if (wanted.updatedAt === THEN) assert.ok(Math.abs(now - began) < 120_000, session.instanceId);
        const timed = (at: number | null) => at === THEN ? now : at;
        assert.deepEqual(found, {
          ...wanted,
          updatedAt: timed(wanted.updatedAt),
          disconnectedAt: timed(wanted.disconnectedAt),
        });
      }
      // Once: what is reported from now on stays.
      assert.deepEqual((await migrate(url)).applied, []);
    },
  );
}
