import assert from "node:assert/strict";
import { readQrImage } from "../../lab/simulator/qr.ts";
import { scenario, type World } from "./world.ts";

scenario(
  "no secret reaches the log, none lies in the database in plain text, and its files are their owner's",
  async (start) => {
    await using world = await start();
    const { qr_string } = await world.hub.qr("secret");
    const [, noiseKey = "", identityKey = "", advSecret = ""] = readQrImage(qr_string).split(",");
    await world.gateway.phone().scan(qr_string);
    await world.untilStatus("secret", "connected");
    await world.hub.disconnected("secret", "NETWORK");
    await world.untilStatus("secret", "connected");

    const log = JSON.stringify(world.log.lines);
    assert.ok(log.length > 0);
    for (const secret of [qr_string, noiseKey, identityKey, advSecret, "data:image", "noiseKey"]) {
      assert.ok(secret.length > 5);
      assert.ok(!log.includes(secret), "the log holds a secret");
    }
    const kept = await everythingKept(world);
    assert.ok(kept.some(({ text }) => text.includes("secret")));
    for (const { where, text } of kept) {
      for (const secret of [advSecret, "noiseKey", "signedIdentityKey", "advSecretKey", '"private"']) {
        assert.ok(!text.includes(secret), `${where} holds a credential in plain text`);
      }
    }
    if (world.config.databaseUrl.startsWith("sqlite:")) await readableByItsOwnerAlone(world);
  },
);

async function readableByItsOwnerAlone(world: World): Promise<void> {
  const path = world.config.databaseUrl.slice("sqlite:".length);
  for (const file of [path, `${path}.key`]) assert.equal(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600);
}

/** Whatever the database has on disk, or where that is out of reach, whatever it gives away. */
async function everythingKept(world: World): Promise<{ where: string; text: string }[]> {
  const latin = new TextDecoder("latin1");
  const url = world.config.databaseUrl;
  if (url.startsWith("sqlite:")) {
    const folder = url.slice("sqlite:".length, url.lastIndexOf("/"));
    const files = await Array.fromAsync(Deno.readDir(folder));
    return await Promise.all(files.map(async ({ name }) => ({
      where: name,
      text: latin.decode(await Deno.readFile(`${folder}/${name}`)),
    })));
  }
  const tables = await world.rows(
    "select table_name as name from information_schema.tables where table_schema = database()",
  );
  return await Promise.all(tables.map(async ({ name }) => {
    const values = (await world.rows(`select * from ${name}`)).flatMap((row) => Object.values(row));
    const texts = values.map((value) => value instanceof Uint8Array ? latin.decode(value) : String(value));
    return { where: name, text: texts.join("\n") };
  }));
}
