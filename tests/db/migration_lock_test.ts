import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describeMigration, migrate } from "../../db/mod.ts";
import { dialectTest, mysql } from "../../lab/databases/helpers.ts";
import { testServer } from "../../lab/databases/server.ts";

dialectTest(
  await mysql(),
  "migrate() waits for a version that has the server make the lock's name",
  async () => {
    const server = (await testServer())!;
    const name = `Größe ${crypto.randomUUID()}`;
    await server.run(`create database \`${name}\``);
    try {
      await using other = await server.session(name);
      const lock = await server.kind() === "mariadb"
        ? "concat('ll_whatsapp_', sha1(database()))"
        : `'ll_whatsapp_${createHash("sha1").update(name).digest("hex")}'`;
      await other.run(`do get_lock(${lock}, 0)`);
      const { url, drop } = await server.database();
      await drop();
      const migrated = migrate(
        Object.assign(new URL(url), { pathname: `/${encodeURIComponent(name)}` }).href,
      );
      const waiting = `select count(*) as waiting from information_schema.processlist
      where db = '${name}' and state = 'User lock'`;
      while (Number((await server.run(waiting))[0]?.["waiting"]) === 0);
      assert.deepEqual(await other.run("show tables"), []);
      await other.run(`do release_lock(${lock})`);
      assert.match(describeMigration(await migrated).join("\n"), /applied/);
    } finally {
      await server.run(`drop database \`${name}\``);
    }
  },
);
