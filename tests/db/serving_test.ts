/** That the look at what a version may rely on sees every change that would break it. */
import assert from "node:assert/strict";
import { migrate } from "../../db/mod.ts";
import { place } from "./adoption/tables.ts";
import { dialectTest, mysql } from "../../lab/databases/helpers.ts";
import { assertServes, definitionsOf, readSchema } from "./serving.ts";

const RETIRED = "ll_whatsapp_retired_logins";
const CREDENTIALS = "ll_whatsapp_credentials";
const LINKS = "ll_whatsapp_links";

/** What no version may do to one that still runs. */
const BREAKS: readonly string[] = [
  "drop table ll_whatsapp_held_keys",
  `alter table ${LINKS} drop column created_at`,
  `alter table ${LINKS} rename column updated_at to changed_at`,
  `alter table ${LINKS} add column demanded int not null`,
  `alter table ${LINKS} modify standing enum('suspended') character set ascii not null`,
  `alter table ${LINKS} modify created_at datetime not null`,
  `alter table ${LINKS} modify instance_id varchar(40) character set ascii collate ascii_bin not null`,
  `alter table ${LINKS} modify instance_id bigint not null`,
  `alter table ${LINKS} add unique key standing (standing)`,
  `alter table ${LINKS} add check (standing <> 'suspended')`,
  `alter table ${CREDENTIALS} modify sealed longblob not null`,
  `alter table ${CREDENTIALS} modify sealed blob null`,
  `alter table ${CREDENTIALS} drop primary key, add primary key (instance_id, kind)`,
  `alter table ${CREDENTIALS} drop primary key, add primary key (kind, name)`,
  `alter table ${CREDENTIALS} add unique key kind (kind, instance_id)`,
  `alter table ${RETIRED} modify attempts smallint unsigned not null`,
  `alter table ${RETIRED} modify attempts int not null`,
  `alter table ${RETIRED} modify held tinyint not null`,
  `alter table ${RETIRED} drop key ll_whatsapp_retired_logins_held, add unique key one (instance_id)`,
  "alter table ll_whatsapp_qr_sessions modify qr_string text null",
];

/** What any may. */
const ADDITIONS: readonly string[] = [
  "create table ll_whatsapp_more (id int not null primary key)",
  `alter table ${LINKS} add column note varchar(32) null`,
  `alter table ${LINKS} add column kind varchar(16) not null default 'device'`,
  `alter table ${LINKS} add key standing (standing)`,
  `alter table ${LINKS} modify standing enum('working', 'suspended', 'doubtful') character set ascii collate ascii_bin not null`,
  `alter table ${LINKS} modify instance_id varchar(100) character set ascii collate ascii_bin not null`,
];

dialectTest(
  await mysql(),
  "a change that would break a version beside is seen, and an addition is none",
  async (url) => {
    await migrate(url);
    const { server, name } = place(url);
    await using session = await server.session(name);
    const schema = await readSchema(session);
    const definitions = await definitionsOf(session);
    const restore = async () => {
      for (const [table, definition] of Object.entries(await definitionsOf(session))) {
        if (definition !== definitions[table]) await session.run(`drop table ${table}`);
      }
      const there = await definitionsOf(session);
      for (const [table, definition] of Object.entries(definitions)) {
        if (!(table in there)) await session.run(definition);
      }
    };
    await assertServes(session, schema);
    for (const statement of BREAKS) {
      await session.run(statement);
      await assert.rejects(assertServes(session, schema), () => true, statement);
      await restore();
    }
    for (const statement of ADDITIONS) {
      await session.run(statement);
      await assertServes(session, schema).catch((error) => assert.fail(`${statement}: ${error}`));
    }
  },
);
