import assert from "node:assert/strict";
import { connected } from "../../domain/changes.ts";
import { DEFAULT_POLICY } from "../../domain/snapshot.ts";
import type { StoredSession } from "../../sessions/ports/store.ts";
import { WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { createSession } from "../../domain/session.ts";
import { Admission, type Turn } from "../../sessions/admission.ts";
import { systemClock } from "../../runtime/clock.ts";
import { Logins } from "../../sessions/logins.ts";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { type ManagerOptions, SessionManager } from "../../sessions/manager.ts";

Deno.test("an attempt is not counted before it is made, so that its second is not over too early", async () => {
  const done: string[] = [];
  const counted = Promise.withResolvers<void>();
  class Watched extends Admission {
    override count(turn: Turn | null = null): void {
      super.count(turn);
      done.push("counted");
      counted.resolve();
    }
  }
  const stored: StoredSession = {
    session: connected(createSession("one", 1), "+5491155550000", 2),
    link: "working",
    predecessor: false,
  };
  const admission = new Watched({ concurrent: 1, perSecond: 1, clock: systemClock });
  const sessions = new SessionManager({
    store: {
      listUnsettled: () => Promise.resolve([stored]),
      save: () => Promise.resolve(),
      loadCredentials: () => Promise.resolve("{}"),
    } as unknown as ManagerOptions["store"],
    sockets: {
      open: () => {
        done.push("made");
        return { heardAt: null, gone: new Promise(() => {}), close: () => {} };
      },
    },
    admission,
    clock: systemClock,
    policy: { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 1_000 },
    log: { debug() {}, info() {}, warn() {}, error() {} },
    qrWaitMs: 1_000,
    logins: new Logins(),
    unlinker: { expect: () => ({ retired: () => {}, cancel: () => {} }) },
    pairingSlots: new PairingSlots(1),
  });
  try {
    await sessions.start();
    await counted.promise;
    assert.deepEqual(done, ["made", "counted"]);
  } finally {
    admission.stop();
    await sessions.stop();
  }
});
