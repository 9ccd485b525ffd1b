import assert from "node:assert/strict";
import { connected } from "../../domain/changes.ts";
import { DEFAULT_POLICY } from "../../domain/snapshot.ts";
import { type StoredSession, StoreUnavailableError } from "../../sessions/ports/store.ts";
import { WHATSAPP_QR_LIFE } from "../../domain/qr.ts";
import { createSession } from "../../domain/session.ts";
import { Admission } from "../../sessions/admission.ts";
import { systemClock } from "../../runtime/clock.ts";
import { Logins } from "../../sessions/logins.ts";
import { PairingSlots } from "../../sessions/pairing_slots.ts";
import { type ManagerOptions, SessionManager } from "../../sessions/manager.ts";

const stored = (instanceId: string): StoredSession => ({
  session: connected(createSession(instanceId, 1), "+5491155550000", 2),
  link: "working",
  predecessor: false,
});

Deno.test("start() brings the other sessions back when the store refuses one for now, and that one later", async () => {
  let refuses = true;
  const opened = { free: Promise.withResolvers<void>(), refused: Promise.withResolvers<void>() };
  const store = {
    listUnsettled: () => Promise.resolve([stored("refused"), stored("free")]),
    save: ({ instanceId }: { instanceId: string }) =>
      refuses && instanceId === "refused" ? Promise.reject(new StoreUnavailableError()) : Promise.resolve(),
    loadCredentials: (instanceId: "free" | "refused") => {
      opened[instanceId].resolve();
      return Promise.resolve("{}");
    },
  };
  const log = { debug() {}, info() {}, warn() {}, error() {} };
  const admission = new Admission({ concurrent: 2, perSecond: 50, clock: systemClock });
  const sessions = new SessionManager({
    store: store as unknown as ManagerOptions["store"],
    sockets: {
      open: () => ({ gone: new Promise(() => {}), close() {} }),
    } as unknown as ManagerOptions["sockets"],
    admission,
    clock: systemClock,
    policy: { ...DEFAULT_POLICY, qrLife: WHATSAPP_QR_LIFE, firstQrMs: 1_000 },
    log,
    qrWaitMs: 1_000,
    logins: new Logins(),
    unlinker: { expect: () => ({ retired: () => {}, cancel: () => {} }) },
    pairingSlots: new PairingSlots(1),
  });
  try {
    await sessions.start();
    await opened.free.promise;
    assert.equal((await sessions.read("free")).status, "connecting");
    await assert.rejects(async () => await sessions.read("refused"), {
      code: "SESSION_MANAGER_ERROR",
      retryAfterSeconds: 5,
    });
    refuses = false;
    await opened.refused.promise;
    assert.equal((await sessions.read("refused")).status, "connecting");
  } finally {
    admission.stop();
    await sessions.stop();
  }
});
