import assert from "node:assert/strict";
import fc from "fast-check";
import { ERRORS, isErrorCode } from "@session-manager/contract";
import { adjustmentOf, fairShare, type Shares } from "../../domain/leases.ts";
import { FencedError } from "../../sessions/ports/store.ts";

const snapshots: fc.Arbitrary<Shares> = fc.record({
  sessions: fc.array(fc.nat(2_000), { minLength: 1, maxLength: 8 })
    .map((counts) => new Map(counts.map((count, i) => [`r${i}`, count]))),
  orphans: fc.nat(2_000),
  now: fc.constant(0),
});

Deno.test("adjustmentOf() never takes more than there is, nor gives below the share, for any snapshot of the cluster", () => {
  fc.assert(fc.property(snapshots, fc.integer({ min: 1, max: 10 }), (clusterSnapshot, step) => {
    for (const [replica, mine] of clusterSnapshot.sessions) {
      const adjustment = adjustmentOf(clusterSnapshot, replica, step);
      const share = fairShare(clusterSnapshot);
      if (adjustment.kind === "take") {
        assert.ok(adjustment.count > 0 && adjustment.count <= clusterSnapshot.orphans);
        assert.ok(mine + adjustment.count <= share);
      }
      if (adjustment.kind === "give") {
        assert.equal(clusterSnapshot.orphans, 0);
        assert.ok(adjustment.count > 0 && adjustment.count <= step);
        assert.ok(mine - adjustment.count >= share);
      }
    }
  }));
});

Deno.test("adjustmentOf() ends with nobody left over and nobody above the share, from any snapshot of the cluster", () => {
  fc.assert(fc.property(snapshots, fc.integer({ min: 1, max: 10 }), (start, step) => {
    const sessions = new Map(start.sessions);
    let orphans = start.orphans;
    for (let still = 0, turn = 0; still < sessions.size; turn++) {
      assert.ok(turn < 20_000, "the shares never settle");
      still = 0;
      for (const replica of sessions.keys()) {
        const mine = sessions.get(replica) ?? 0;
        const adjustment = adjustmentOf({ sessions, orphans }, replica, step);
        if (adjustment.kind === "none") {
          still++;
          continue;
        }
        const change = adjustment.kind === "take" ? adjustment.count : -adjustment.count;
        sessions.set(replica, mine + change);
        orphans -= change;
      }
    }
    assert.equal(orphans, 0);
    const least = Math.min(...sessions.values());
    for (const mine of sessions.values()) {
      assert.ok(mine <= Math.max(fairShare({ sessions, orphans }), least + 1));
    }
  }));
});

Deno.test("adjustmentOf() does nothing when this replica is not present itself", () => {
  const clusterSnapshot = { sessions: new Map([["other", 0]]), orphans: 5 };
  assert.deepEqual(adjustmentOf(clusterSnapshot, "gone", 5), { kind: "none" });
});

Deno.test("FencedError names the session, and nothing else", () => {
  assert.match(new FencedError("sender_51").message, /\bsender_51\b/);
});

Deno.test("isErrorCode() knows the codes of the catalogue and no others", () => {
  for (const code of Object.keys(ERRORS)) assert.ok(isErrorCode(code));
  for (const text of ["done", "toString", "", "session_not_found"]) assert.ok(!isErrorCode(text));
});
