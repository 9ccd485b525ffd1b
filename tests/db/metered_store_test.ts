import assert from "node:assert/strict";
import { meterStore } from "../../db/metered_store.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { createSession } from "../../domain/session.ts";
import { adopt, open, saveNew } from "../../lab/databases/helpers.ts";

Deno.test("meterStore() does what the store does, and times logins that wait to be unlinked as well", async () => {
  await using store = await open("sqlite::memory:");
  const metrics = createMetrics();
  const metered = meterStore(store, metrics);
  const retiredId = crypto.randomUUID();
  await saveNew(metered, createSession("s", 1), adopt("login"));
  await saveNew(metered, createSession("s", 1), { kind: "retire", retiredId });
  const [login] = await metered.dueRetiredLogins(1);
  assert.deepEqual(await metered.findRetiredLogin(retiredId), login);
  assert.equal(await metered.claimRetiredLogin(login!, 0), true);
  assert.equal(await metered.loadRetiredLogin(retiredId), "login");
  await metered.postponeRetiredLogin(retiredId, 0);
  assert.equal(await metered.countRetiredLogins(), 1);
  await metered.forgetRetiredLogin(retiredId);
  assert.equal(await metered.countRetiredLogins(), 0);
  const text = await metrics.registry.metrics();
  for (const operation of ["save", "dueRetiredLogins", "claimRetiredLogin", "forgetRetiredLogin"]) {
    assert.match(text, new RegExp(`database_\\w*duration\\w*_count\\{operation="${operation}"\\} [1-9]`));
  }
});
