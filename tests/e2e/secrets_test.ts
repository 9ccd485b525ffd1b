import assert from "node:assert/strict";
import { readQrImage } from "../gateway/qr.ts";
import { scenario, World } from "./world.ts";

scenario("no secret reaches the log, and no credential lies in the database in plain text", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using world = await World.start({ databaseUrl: `sqlite:${folder}/sessions.db` });
    const { qr_string } = await world.hub.qr("secret");
    const [, noiseKey = "", identityKey = "", advSecret = ""] = readQrImage(qr_string).split(",");
    await world.gateway.phone().scan(qr_string);
    await world.untilStatus("secret", "connected");
    await world.hub.disconnected("secret", "NETWORK");
    await world.untilStatus("secret", "connected");

    const log = JSON.stringify(world.log);
    assert.ok(log.length > 0);
    for (const secret of [qr_string, noiseKey, identityKey, advSecret, "data:image", "noiseKey"]) {
      assert.ok(secret.length > 5);
      assert.ok(!log.includes(secret), "the log holds a secret");
    }
    const files = await Array.fromAsync(Deno.readDir(folder));
    for (const { name } of files) {
      const bytes = await Deno.readFile(`${folder}/${name}`);
      const text = new TextDecoder("latin1").decode(bytes);
      for (const secret of [advSecret, "noiseKey", "signedIdentityKey", "advSecretKey", '"private"']) {
        assert.ok(!text.includes(secret), `${name} holds a credential in plain text`);
      }
    }
    const key = files.find(({ name }) => name.endsWith(".key"));
    assert.equal(((await Deno.stat(`${folder}/${key?.name}`)).mode ?? 0) & 0o777, 0o600);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
