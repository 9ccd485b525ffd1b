import assert from "node:assert/strict";
import fc from "fast-check";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { asRefusal, DatabaseUnusableError, whyUnavailable } from "../../db/mod.ts";

/** As the driver makes it of what a server sends. */
function serverError(errno: number, sqlState: string, message: string): Error {
  return Object.assign(new Error(message), { errno, sqlState, sqlMessage: message, sql: message });
}

Deno.test("asRefusal() makes one sentence of whatever a server sends, and repeats none of it", () => {
  const errno = fc.oneof(fc.constantFrom(1040, 1045, 1142, 1290, 1665, 3159, 4151), fc.nat(65_535));
  const states = fc.oneof(
    fc.constantFrom("", "HY000", "42000", "08S01", "40001"),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(fc.property(errno, states, fc.string(), (errno, state, noise) => {
    const secret = `hunter2 ${noise}`;
    const refusal = asRefusal(
      serverError(errno, state, `CREATE command denied for ${secret}\nwith the --read-only`),
    );
    assert.ok(refusal instanceof DatabaseUnusableError || refusal instanceof StoreUnavailableError);
    const told = refusal instanceof DatabaseUnusableError ? refusal.message : `${whyUnavailable(refusal)}.`;
    assert.match(told, /^[^\n]+\.$/);
    assert.ok(!told.includes("hunter2"), told);
    assert.equal(asRefusal(refusal), refusal);
  }));
});

Deno.test("asRefusal() leaves to later what a transaction or a connection may still come to", () => {
  for (
    const [errno, state, outcome] of [
      [9_999, "HY000", DatabaseUnusableError],
      [9_999, "08S01", StoreUnavailableError],
      [9_999, "40000", StoreUnavailableError],
      [3032, "HY000", StoreUnavailableError],
      [1142, "42000", DatabaseUnusableError],
    ] as const
  ) assert.ok(asRefusal(serverError(errno, state, "no")) instanceof outcome, `${errno} ${state}`);
});

Deno.test("asRefusal() gives back what no database has caused", () => {
  for (const error of [new TypeError("x is undefined"), "thrown", undefined]) {
    assert.equal(asRefusal(error), error);
  }
});
