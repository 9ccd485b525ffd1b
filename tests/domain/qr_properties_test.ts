import assert from "node:assert/strict";
import fc from "fast-check";
import { hasPairingSocket } from "../../domain/snapshot.ts";
import type { Instant, Session } from "../../domain/session.ts";
import { isValid } from "../../domain/qr.ts";
import { qrAnswer } from "../../domain/answer.ts";
import { viewQr, viewSession } from "../../domain/view.ts";
import { gaps, sessions } from "./arbitraries.ts";
import { qrAnswerBody, sessionAnswer } from "./contract.ts";
import { atEveryMoment } from "./world.ts";

/** The instants around everything that could change an answer, none of them before `now`. */
function probes({ qr }: Session, now: Instant): Instant[] {
  const expiry = qr.status === "none" ? null : qr.expiresAt;
  const around = expiry === null ? [] : [expiry - 1, expiry, expiry + 1];
  return [now, ...around, now + 100_000].filter((instant) => instant >= now);
}

Deno.test("transition() keeps a qr_string exactly when qr_status is generated, which implies qr_required", () => {
  atEveryMoment(({ after: { session: { status, qr } } }) => {
    assert.equal("string" in qr && qr.string !== null, qr.status === "generated");
    if (qr.status === "generated") assert.equal(status, "qr_required");
    if (status === "qr_required") assert.ok(qr.status === "generated" || qr.status === "expired");
  });
});

Deno.test("transition() gives a generated QR both instants when it is shown, the expiry after the beginning", () => {
  atEveryMoment(({ after: { session: { qr } } }) => {
    if (qr.status !== "generated") return;
    assert.ok(Number.isInteger(qr.generatedAt) && Number.isInteger(qr.expiresAt));
    assert.ok(qr.expiresAt > qr.generatedAt);
  });
});

Deno.test("transition() leaves no QR to scan when no pairing socket is at work", () => {
  atEveryMoment(({ after: { session, pairing }, at, socketsAfter }) => {
    if (session.qr.status !== "generated") return;
    assert.equal(pairing.kind, "showing");
    assert.notEqual(socketsAfter.pairing, null);
    assert.ok(isValid(session.qr, at.now), "a QR past its expiry was left as generated");
  });
});

Deno.test("viewSession() answers as the contract says when asked at any time, now or later", () => {
  atEveryMoment(({ after: { session }, at }) => {
    for (const now of probes(session, at.now)) {
      const view = sessionAnswer.parse(viewSession(session, now));
      assert.equal(view.qr_string !== null, view.qr_status === "generated");
      if (view.qr_status === "generated") assert.equal(view.status, "qr_required");
    }
  });
});

Deno.test("viewSession() shows no QR at or after its expiry when no tick has come", () => {
  fc.assert(fc.property(sessions, gaps, (session, gap) => {
    if (session.qr.status !== "generated") return;
    const { generatedAt, expiresAt, string } = session.qr;
    assert.equal(viewSession(session, generatedAt).qr_string, string);
    assert.equal(viewSession(session, expiresAt - 1).qr_string, string);
    const late = viewSession(session, expiresAt + gap);
    assert.equal(late.qr_string, null);
    assert.equal(late.qr_status, "expired");
    assert.equal(late.status, "qr_required");
    // The expiry stays, so that the Hub sees what it is that is over.
    assert.equal(late.qr_expires_at, viewSession(session, generatedAt).qr_expires_at);
  }));
});

Deno.test("viewSession() answers as the contract says when the session is any that a store may hold", () => {
  fc.assert(fc.property(sessions, gaps, (session, gap) => {
    sessionAnswer.parse(viewSession(session, session.updatedAt + gap));
  }));
});

Deno.test("viewSession() rounds qr_expires_at down when it is no whole second", () => {
  atEveryMoment(({ after: { session }, at }) => {
    if (session.qr.status === "none" || session.qr.expiresAt === null) return;
    const told = Date.parse(viewSession(session, at.now).qr_expires_at ?? "");
    assert.ok(told <= session.qr.expiresAt && session.qr.expiresAt - told < 1_000);
  });
});

Deno.test("qrAnswer() gives the QR byte for byte, and only a valid one, when one is shown", () => {
  atEveryMoment(({ after, at }) => {
    for (const now of probes(after.session, at.now)) {
      const answer = qrAnswer(after, now);
      const view = viewSession(after.session, now);
      assert.equal(answer.kind === "qr", view.qr_string !== null);
      if (answer.kind !== "qr") continue;
      assert.ok(now < answer.qr.expiresAt);
      const body = qrAnswerBody.parse(viewQr(answer.qr));
      assert.deepEqual(body, { qr_string: view.qr_string, qr_expires_at: view.qr_expires_at });
    }
  });
});

Deno.test("qrAnswer() refuses exactly when the session is connecting or connected", () => {
  atEveryMoment(({ after, at }) => {
    const refused = after.session.status === "connecting" || after.session.status === "connected";
    assert.equal(qrAnswer(after, at.now).kind === "already_connected", refused);
  });
});

Deno.test("qrAnswer() promises a QR only when a pairing socket is at work", () => {
  atEveryMoment(({ after, at, socketsAfter }) => {
    const { kind } = qrAnswer(after, at.now);
    if (kind === "pending") assert.notEqual(socketsAfter.pairing, null);
    if (kind === "none") assert.ok(!hasPairingSocket(after));
  });
});
