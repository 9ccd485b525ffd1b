import assert from "node:assert/strict";
import { migrateDatabase } from "../../db/migrate.ts";
import { connect } from "../../db/database.ts";
import { isMade, madeBy } from "../../db/made.ts";
import { MIGRATIONS } from "../../db/migrations/mod.ts";
import { dialectTest, mysql, query, SQLITE } from "../../lab/databases/helpers.ts";

Deno.test("madeBy() names what a statement makes first", () => {
  const cases: [string, ReturnType<typeof madeBy>][] = [
    ["create table if not exists t (id int)", { kind: "table", table: "t" }],
    ["create table t (id int)", { kind: "table", table: "t" }],
    ["create index if not exists i\n  on t (a)", { kind: "index", table: "t", name: "i" }],
    ["create unique index i on t (a)", { kind: "index", table: "t", name: "i" }],
    ["alter table t add column a int, add column b int", { kind: "column", table: "t", name: "a" }],
    ["alter table t add key i (a)", { kind: "index", table: "t", name: "i" }],
    ["ALTER TABLE t\n  ADD UNIQUE INDEX i (a)", { kind: "index", table: "t", name: "i" }],
    ["alter table t modify column a bigint", null],
    ["update t set a = 1 where a is null", null],
  ];
  for (const [statement, made] of cases) assert.deepEqual(madeBy(statement), made, statement);
});

Deno.test("every statement of a migration that makes something is one whose work is found again", () => {
  for (const { name, statements } of MIGRATIONS) {
    for (const statement of [...statements.mysql, ...statements.sqlite]) {
      if (/^(create|alter|drop|rename)\b/i.test(statement)) {
        assert.ok(madeBy(statement), `${name}: ${statement}`);
      }
    }
  }
});

for (const dialect of [SQLITE, await mysql()]) {
  dialectTest(dialect, "isMade() finds what a statement has made, and nothing before", async (url) => {
    await query(url, "create table t (id int)");
    const database = await connect(url);
    try {
      for (
        const statement of [
          "create table u (id int)",
          "alter table t add column a int",
          "create index i on t (a)",
        ]
      ) {
        assert.equal(await isMade(database, database.db, statement), false, statement);
        await query(url, statement);
        assert.equal(await isMade(database, database.db, statement), true, statement);
      }
    } finally {
      await database.close();
    }
  });

  dialectTest(
    dialect,
    "migrate() adds no column and no index that somebody has added already",
    async (url) => {
      const statements = [
        "alter table ll_whatsapp_links add column a int",
        "create index b on ll_whatsapp_links (a)",
      ];
      const later = {
        name: "9999_later",
        purpose: "",
        statements: { sqlite: statements, mysql: statements },
      };
      const database = await connect(url);
      try {
        await migrateDatabase(database);
        await query(url, statements[0]!);
        const { applied } = await migrateDatabase(database, { migrations: [...MIGRATIONS, later] });
        assert.deepEqual(applied.map(({ name }) => name), ["9999_later"]);
      } finally {
        await database.close();
      }
    },
  );
}
