/**
 * A later version migrates while this one serves: this one goes on, at each statement of it and if it is broken off there,
 * and can be started again for as long as the migration is not complete.
 */
import assert from "node:assert/strict";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { type Migration, MIGRATIONS } from "../../db/migrations/mod.ts";
import { MIGRATIONS as LEDGER, SESSIONS } from "../../db/schema.ts";
import { EndingProxy } from "../db/ending_proxy.ts";
import { scenario, type World } from "./world.ts";

/** Everything that a later version may add, to each table that there is. */
async function laterThan(world: World): Promise<Migration> {
  const rows = await world.rows(
    "select table_name as name from information_schema.tables where table_schema = database()",
  );
  const tables = rows.map(({ name }) => String(name)).filter((name) => name !== LEDGER && name !== SESSIONS);
  const statements = tables.flatMap((name) => [
    `alter table ${name} add column later_note varchar(32) null, add column later_kind varchar(8) not null default 'x'`,
    `create index ${name}_later on ${name} (later_note)`,
  ]);
  statements.push("create table ll_whatsapp_later (id int not null primary key) engine = InnoDB");
  return { name: "9999_later", purpose: "a later version", statements: { sqlite: [], mysql: statements } };
}

async function migrateWith(url: string, migration: Migration): Promise<void> {
  const database = await connect(url);
  try {
    await migrateDatabase(database, { migrations: [...MIGRATIONS, migration] });
  } finally {
    await database.close();
  }
}

/** A number is linked, lost, found, unlinked and linked again. */
async function serves(world: World, id: string): Promise<void> {
  const { gateway, hub } = world;
  const phone = await world.link(id);
  const online = gateway.when("online", { phone: phone.number });
  gateway.drop(phone);
  await online;
  await world.untilStatus(id, "connected");
  assert.equal((await hub.disconnected(id, "LOGOUT")).status, 200);
  await world.link(id);
}

scenario(
  "a version goes on, and starts, while the next one's migration is broken off at any statement, and after it",
  async (start) => {
    await using world = await start();
    await serves(world, "before");
    const later = await laterThan(world);
    const { databaseUrl } = world.config;
    // Each attempt gets one statement further; what is there already is not sent again.
    const { proxy, url } = await EndingProxy.before(
      databaseUrl,
      /^(alter|create (index|table ll_)|insert)/,
    );
    await using _ = proxy;
    for (let made = 1;; made++) {
      proxy.endAt(1, "after");
      const isComplete = await migrateWith(url, later).then(() => true, () => false);
      await serves(world, `sender_${made}`);
      if (isComplete) {
        assert.equal(made, later.statements.mysql.length + 2); // the ledger's row, and what finds it there
        break;
      }
      if (made !== 4) continue;
      await using again = await start({ databaseUrl, gateway: world.gateway });
      assert.equal((await again.hub.get("before")).status, 200);
    }
  },
  { only: "mysql" },
);
