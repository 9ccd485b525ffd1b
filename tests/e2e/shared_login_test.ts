import assert from "node:assert/strict";
import { openStore, parseCredentialKeys } from "../../db/mod.ts";
import { QUICK_LINKS } from "./scenarios.ts";
import { scenario } from "./world.ts";

scenario("a login that two sessions use is noticed, and the loser is told of its rival", async (start) => {
  const key = btoa("k".repeat(32));
  const environment = { CREDENTIALS_KEY: key };
  await using first = await start({ ...QUICK_LINKS, environment });
  await first.link("original");
  await first.hub.qr("copy");
  const { databaseUrl } = first.config;
  await first.stopService();
  {
    await using store = await openStore({ url: databaseUrl, keys: parseCredentialKeys(key) });
    const credentials = await store.loadCredentials("original");
    const copy = await store.find("copy");
    assert.ok(credentials !== null && copy !== null);
    await store.save(copy.session, {
      kind: "adopt",
      credentials,
      keys: [],
      retiredId: crypto.randomUUID(),
    });
  }

  await using world = await start({ gateway: first.gateway, databaseUrl, environment });
  // Whoever came second throws the first one out, which is where it ends: it is never fought.
  const { instance_id: loser } = await world.log.next(({ event, status }) =>
    event === "session_changed" && status === "error"
  );
  const winner = loser === "original" ? "copy" : "original";
  await world.untilStatus(winner, "connected");
  const [row] = await world.rows(
    `SELECT last_error_code, last_error_message FROM ll_whatsapp_qr_sessions WHERE instance_id = '${loser}'`,
  );
  assert.equal(row?.last_error_code, "LOGGED_IN_ELSEWHERE");
  assert.ok(String(row?.last_error_message).includes(`session ${winner} `), row?.last_error_message);
  assert.ok(world.log.lines.some(({ event }) => event === "login_shared"));
});
