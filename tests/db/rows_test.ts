import assert from "node:assert/strict";
import fc from "fast-check";
import { QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";
import { instantFormat } from "../../db/dialect.ts";
import { columnsOf, outlineOf, parseInstant, sessionOf, type SessionRow } from "../../db/rows.ts";
import { record, sessions } from "../../lab/databases/helpers.ts";

const texts = fc.option(fc.oneof(
  fc.string(),
  fc.constantFrom("0000-00-00 00:00:00.000", "2026-02-30 00:00:00", "2026-01-04T12:34:56.789Z", "now"),
));
const rows: fc.Arbitrary<SessionRow> = record({
  instance_id: fc.string(),
  phone_number: texts,
  status: fc.constantFrom(...SESSION_STATUSES),
  qr_status: fc.constantFrom(...QR_STATUSES),
  qr_string: texts,
  qr_generated_at: texts,
  qr_expires_at: texts,
  connected_at: texts,
  disconnected_at: texts,
  last_error_code: texts,
  last_error_message: texts,
  created_at: texts.map((text) => text ?? ""),
  updated_at: texts.map((text) => text ?? ""),
});

const ROW: SessionRow = {
  instance_id: "sender_51",
  phone_number: null,
  status: "init",
  qr_status: "none",
  qr_string: null,
  qr_generated_at: null,
  qr_expires_at: null,
  connected_at: null,
  disconnected_at: null,
  last_error_code: null,
  last_error_message: null,
  created_at: "2026-01-04 12:34:56.789",
  updated_at: "2026-01-04 12:34:56.789",
};
const AT = Date.UTC(2026, 0, 4, 12, 34, 56, 789);
const GENERATED = {
  qr_status: "generated",
  qr_string: "data:",
  qr_generated_at: "2026-01-04 12:34:56.789",
  qr_expires_at: "2026-01-04 12:34:56.789",
};

Deno.test("sessionOf() gives a session that the contract allows, for any row with frozen names", () => {
  fc.assert(
    fc.property(rows, (row) => {
      const session = sessionOf(row);
      const { instanceId, status, qr } = session;
      assert.deepEqual(outlineOf(row), { instanceId, status, qr });
      assert.equal(session.status, row.status);
      assert.ok(Number.isSafeInteger(session.createdAt) && Number.isSafeInteger(session.updatedAt));
      if (session.qr.status === "generated") assert.equal(session.status, "qr_required");
      if (session.status === "disconnected" || session.status === "error") {
        assert.ok(session.lastError.code !== null && session.lastError.message !== null);
      }
      // Once brought into the union it stays as it is.
      for (const dialect of ["sqlite", "mysql"] as const) {
        const written = columnsOf(session, instantFormat(dialect));
        assert.deepEqual(sessionOf({ instance_id: row.instance_id, ...written }), session);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("sessionOf() gives what columnsOf() was given, for any session", () => {
  fc.assert(
    fc.property(sessions("s"), fc.constantFrom("sqlite" as const, "mysql" as const), (session, dialect) => {
      assert.deepEqual(
        sessionOf({ instance_id: "s", ...columnsOf(session, instantFormat(dialect)) }),
        session,
      );
    }),
  );
});

Deno.test("sessionOf() expires a generated QR when the status is not qr_required or a part is missing", () => {
  const expired = { status: "expired", generatedAt: AT, expiresAt: AT };
  assert.equal(sessionOf({ ...ROW, ...GENERATED, status: "qr_required" }).qr.status, "generated");
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "connected" }).qr, expired);
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "error" }).qr, expired);
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "qr_required", qr_string: null }).qr, expired);
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "qr_required", qr_expires_at: null }).qr, {
    ...expired,
    expiresAt: null,
  });
  assert.deepEqual(sessionOf({ ...ROW, status: "qr_required" }).qr, {
    status: "expired",
    generatedAt: null,
    expiresAt: null,
  });
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "connecting" }).qr, {
    ...expired,
    status: "used",
  });
  assert.deepEqual(sessionOf({ ...ROW, ...GENERATED, status: "init" }).qr, { status: "none" });
});

Deno.test("sessionOf() gives UNKNOWN when a disconnected row has no code", () => {
  assert.equal(sessionOf({ ...ROW, status: "disconnected" }).lastError?.code, "UNKNOWN");
  assert.deepEqual(sessionOf({ ...ROW, status: "error", last_error_message: "m" }).lastError, {
    code: "UNKNOWN",
    message: "m",
  });
});

Deno.test("sessionOf() names instance and column, and no value, when a name is not the contract's", () => {
  for (const column of ["status", "qr_status"] as const) {
    assert.throws(() => sessionOf({ ...ROW, [column]: "conectado" }), (error) => {
      assert.ok(error instanceof Error);
      assert.match(error.message, /sender_51/);
      assert.match(error.message, new RegExp(` ${column} `));
      assert.ok(!error.message.includes("conectado"));
      return true;
    });
  }
});

Deno.test("parseInstant() reads every form of a database, and null when it is none", () => {
  for (
    const text of [
      "2026-01-04T12:34:56.789Z",
      "2026-01-04 12:34:56.789",
      "2026-01-04 12:34:56.789123",
      "2026-01-04T09:34:56.789-03:00",
    ]
  ) assert.equal(parseInstant(text), AT);
  assert.equal(parseInstant("2026-01-04 12:34:56"), AT - 789);
  for (const text of [null, "", "0000-00-00 00:00:00.000", "2026-13-01 00:00:00", "1767530096789", "now"]) {
    assert.equal(parseInstant(text), null);
  }
});
