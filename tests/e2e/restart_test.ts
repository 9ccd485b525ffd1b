import assert from "node:assert/strict";
import { scenario } from "./world.ts";

scenario("a start brings links back, expires QRs, and leaves the rest as it is", async (start) => {
  await using before = await start();
  const phone = await before.link("linked");
  await before.hub.qr("shown");
  const other = await before.link("elsewhere");
  const replaced = before.untilStatus("elsewhere", "error");
  before.gateway.streamError(other, { child: "conflict", attrs: { type: "replaced" } });
  await replaced;
  await before.stopService();

  await using after = await start({
    gateway: before.gateway,
    databaseUrl: before.config.databaseUrl,
  });
  await after.untilStatus("linked", "connected");
  assert.equal(phone.devices[0]?.logins, 2);
  const shown = await after.hub.session("shown");
  assert.deepEqual(
    [shown.status, shown.qr_status, shown.qr_string],
    ["qr_required", "expired", null],
  );
  assert.notEqual(shown.qr_expires_at, null);
  assert.equal((await after.hub.session("elsewhere")).status, "error");
  assert.equal(other.devices[0]?.logins, 1);
  assert.equal(after.gateway.stats.overlaps, 0);
});

scenario("a start tries CLIENT_OUTDATED again", async (start) => {
  await using before = await start();
  const phone = await before.link("outdated");
  const outdated = before.untilStatus("outdated", "error");
  before.gateway.faults.add({ do: "failure", code: 405, kind: "login", times: 1 });
  before.gateway.drop(phone);
  await outdated;
  await before.stopService();
  await using after = await start({ gateway: before.gateway, databaseUrl: before.config.databaseUrl });
  await after.untilStatus("outdated", "connected");
});

scenario("another CREDENTIALS_KEY is an error of that session alone, and costs no link", async (start) => {
  const key = () => btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(32))));
  const right = key();
  await using before = await start({ environment: { CREDENTIALS_KEY: right } });
  await before.link("sealed");
  await before.stopService();
  const again = { gateway: before.gateway, databaseUrl: before.config.databaseUrl };
  {
    await using wrong = await start({ ...again, environment: { CREDENTIALS_KEY: key() } });
    await wrong.untilStatus("sealed", "error");
    assert.ok(wrong.log.lines.some((line) => line.code === "CREDENTIALS_UNREADABLE"));
    assert.equal((await wrong.hub.requestQr("other")).status, 200);
  }
  await using mended = await start({ ...again, environment: { CREDENTIALS_KEY: right } });
  await mended.untilStatus("sealed", "connected");
});
