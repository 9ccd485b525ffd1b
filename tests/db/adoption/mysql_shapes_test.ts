/**
 * Tables of any shape that altering mends, with any rows that fit: the check passes afterwards, and every row says what
 * it said.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import { migrate } from "../../../db/mod.ts";
import { sessionOf } from "../../../db/rows.ts";
import { dialectTest, mysql, open, query, record } from "../../../lab/databases/helpers.ts";
import { COLUMNS, insertRows, seconds } from "./tables.ts";

const text = (length: number) =>
  fc.constantFrom(`varchar(${length})`, "text", `char(${Math.min(length, 200)})`);
const charset = fc.constantFrom(
  "character set utf8mb4 collate utf8mb4_unicode_ci",
  "character set utf8mb4 collate utf8mb4_bin",
  "character set latin1 collate latin1_general_cs",
  "character set latin1",
);
const instant = fc.constantFrom("datetime", "timestamp", "datetime(3)", "timestamp(6)", "varchar(30)");
const nullity = fc.constantFrom("null", "not null");
const enumeration = (names: readonly string[]) =>
  `enum(${names.map((name) => `'${name}'`).join(", ")}, 'extra')`;

const shapes = record({
  id: fc.constantFrom(
    "bigint unsigned not null auto_increment",
    "int not null",
    "mediumint not null auto_increment",
    "smallint not null",
  ),
  instance_id: fc.tuple(text(40), charset).map((parts) =>
    `${parts.join(" ").replace(/^text/, "varchar(200)")} not null`
  ),
  phone_number: fc.tuple(fc.oneof(text(16), fc.constant("varchar(15)")), charset).map((parts) =>
    parts.join(" ")
  ),
  status: fc.oneof(
    fc.tuple(text(12), charset).map((parts) => parts.join(" ")),
    fc.constant(enumeration(SESSION_STATUSES)),
  ),
  qr_status: fc.oneof(fc.constant("varchar(9)"), fc.constant(enumeration(QR_STATUSES))),
  qr_string: fc.constantFrom("varchar(2000)", "text", "blob", "mediumtext"),
  instants: fc.array(fc.tuple(instant, fc.constantFrom("null", "null", "null", "null default null")), {
    minLength: 6,
    maxLength: 6,
  }),
  last_error_code: fc.tuple(text(32), charset).map((parts) => parts.join(" ")),
  last_error_message: fc.constantFrom("varchar(100)", "text", "varchar(255) not null default ''"),
  frozen: nullity,
  key: fc.constantFrom(
    "unique key (instance_id)",
    "key (instance_id)",
    "unique key (instance_id, qr_status)",
  ),
  other: fc.constantFrom(
    "",
    "unique key (id, qr_status)",
    "own varchar(10) not null default 'x'",
    "own int not null",
  ),
  engine: fc.constantFrom("InnoDB", "MyISAM"),
});

/** Instants of whole seconds between 1971 and 2037, so that every type holds them. */
const at = fc.integer({ min: 31_536_000, max: 2_145_916_799 })
  .map((second) => new Date(second * 1_000).toISOString().slice(0, 19).replace("T", " "));
const rows = fc.uniqueArray(
  record({
    instance_id: fc.stringMatching(/^[a-z0-9][a-z0-9_.:-]{0,39}$/),
    phone_number: fc.option(fc.constantFrom("+5491155550001", "5491155550001", "")),
    status: fc.constantFrom(...SESSION_STATUSES),
    qr_status: fc.constantFrom(...QR_STATUSES),
    qr_string: fc.option(fc.base64String({ maxLength: 200 })),
    instants: fc.tuple(fc.option(at), fc.option(at), fc.option(at), fc.option(at), at, at),
    last_error_code: fc.option(fc.constantFrom("TIMEOUT", "428")),
    last_error_message: fc.constantFrom("Conexión cerrada", "it's over", ""),
  }),
  { selector: ({ instance_id }) => instance_id, maxLength: 8 },
);

const INSTANTS = [
  "qr_generated_at",
  "qr_expires_at",
  "connected_at",
  "disconnected_at",
  "created_at",
  "updated_at",
];

function createTable(shape: typeof shapes extends fc.Arbitrary<infer S> ? S : never): string {
  const instants = INSTANTS.map((name, i) => `${name} ${shape.instants[i]!.join(" ")}`);
  return `create table ll_whatsapp_qr_sessions (id ${shape.id}, instance_id ${shape.instance_id},
    phone_number ${shape.phone_number}, status ${shape.status} ${shape.frozen}, qr_status ${shape.qr_status} ${shape.frozen},
    qr_string ${shape.qr_string}, ${instants.join(", ")}, last_error_code ${shape.last_error_code},
    last_error_message ${shape.last_error_message}, ${shape.other ? `${shape.other},` : ""}
    primary key (id), ${shape.key}) engine = ${shape.engine} default charset = utf8mb4`;
}

const quoted = (value: string | null) => value === null ? "null" : `'${value.replaceAll("'", "''")}'`;

/** What stays is what it was, by value; what tells of a connection or a QR is settled. */
const isSettled = ({ status, qr_status }: Record<string, unknown>) =>
  status === "connected" || status === "connecting" || qr_status === "generated";

dialectTest(await mysql(), "altering mends a table of any shape, and keeps its rows", async (url) => {
  const look =
    "select *, convert(qr_string using utf8mb4) as qr_string from ll_whatsapp_qr_sessions order by id";
  await fc.assert(
    fc.asyncProperty(shapes, rows, async (shape, given) => {
      await query(url, createTable(shape));
      if (given.length > 0) {
        const own = /^own int/.test(shape.other) ? ", own" : "";
        const values = given.map((row, i) =>
          `(${
            [
              String(i + 1),
              ...[
                row.instance_id,
                row.phone_number,
                row.status,
                row.qr_status,
                row.qr_string,
                ...row.instants.slice(0, 4),
              ]
                .map(quoted),
              quoted(row.last_error_code),
              quoted(row.last_error_message),
              ...row.instants.slice(4).map(quoted),
              ...(own ? ["5"] : []),
            ].join(", ")
          })`
        );
        await query(url, insertRows(values, COLUMNS + own));
      }
      const before = await query(url, look);
      const { table } = await migrate(url, { dryRun: true });
      assert.deepEqual(table?.rowFaults, []);
      assert.ok(table!.flaws.every(({ todo }) => todo === null), JSON.stringify(table?.flaws));
      await migrate(url, { alter: true });
      assert.deepEqual((await migrate(url, { dryRun: true })).table?.flaws, []);
      const after = await query(url, look);
      assert.equal(after.length, before.length);
      for (const [i, row] of before.entries()) {
        if (!isSettled(row)) assert.deepEqual(seconds(after[i]), seconds(row));
        assert.ok(!isSettled(after[i]));
        assert.equal(sessionOf(after[i]).qr.status === "generated", false);
        assert.equal(after[i].connected_at === null, row.connected_at === null);
      }
      {
        await using store = await open(url);
        for (const { instance_id } of given) assert.notEqual(await store.find(instance_id), null);
        const { session } = await store.findOrCreate("Brand-New", Date.UTC(2026, 0, 4, 12, 34, 56, 789));
        assert.equal(session.createdAt % 1_000, 789);
      }
      const tables = await query(url, "show tables");
      await query(url, `drop table ${tables.map((row) => Object.values(row)[0]).join(", ")}`);
    }),
    { numRuns: 25 },
  );
});
