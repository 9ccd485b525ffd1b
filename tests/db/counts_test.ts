import assert from "node:assert/strict";
import { createSession, type Session, type SessionState } from "../../domain/session.ts";
import { dialectTest, mysql, open, saveNew, SQLITE } from "../../lab/databases/helpers.ts";

const NOW = 1_767_530_096_789;

const disconnected = (code: "LOGOUT" | "NETWORK"): SessionState => ({
  status: "disconnected",
  qr: { status: "none" },
  lastError: { code, message: "It ended." },
});

const STATES: readonly (SessionState | null)[] = [
  null, // init
  null,
  disconnected("LOGOUT"),
  disconnected("NETWORK"),
  disconnected("LOGOUT"),
  { status: "connecting", qr: { status: "none" }, lastError: { code: "LOGOUT", message: "It ended." } },
];

for (const dialect of [SQLITE, await mysql()]) {
  dialectTest(
    dialect,
    "countByStatus() and countLoggedOut() count sessions by what has become of them",
    async (url) => {
      await using store = await open(url);
      assert.equal(await store.countLoggedOut(), 0);
      for (const [n, state] of STATES.entries()) {
        const session = { ...createSession(`s${n}`, NOW), ...state } as Session;
        await saveNew(store, session, { kind: "keep" });
      }
      assert.deepEqual(
        [...await store.countByStatus()].sort(),
        [["connecting", 1], ["disconnected", 3], ["init", 2]],
      );
      assert.equal(await store.countLoggedOut(), 2);
    },
  );
}
