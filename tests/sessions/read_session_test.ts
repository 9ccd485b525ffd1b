import assert from "node:assert/strict";
import { atRest, DEFAULT_POLICY, type Link } from "../../domain/snapshot.ts";
import { WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { createSession, updateSession } from "../../domain/session.ts";
import { SessionReader } from "../../sessions/read_session.ts";
import type { Supervisor } from "../../sessions/supervisor.ts";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";

/** How a session is told that somebody else has left connected. */
function told(link: Link, isResuming: boolean): string {
  const clock = new DrivenClock();
  const reading = new SessionReader({
    store: undefined as never, // nothing is read of it
    clock,
    policy: { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 20_000 },
  });
  const qr = { status: "used", generatedAt: clock.now(), expiresAt: clock.now() } as const;
  const session = updateSession(createSession("sender_51", clock.now()), clock.now(), {
    status: "connected",
    qr,
    lastError: null,
  });
  const supervisor = { isStalled: false, isResuming, snapshot: atRest(session, link) };
  return reading.supervised(supervisor as unknown as Supervisor).status;
}

Deno.test("Reading.supervised() does not tell a session as a former owner has left it, while that is being settled", () => {
  assert.equal(told("working", true), "connecting");
  assert.equal(told("working", false), "connected");
  // Nobody here has its login: another part of the system has said that it is connected.
  assert.equal(told("none", true), "connected");
});
