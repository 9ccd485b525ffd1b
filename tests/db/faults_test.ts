import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../domain/ports.ts";
import { judgeFault, runGuarded } from "../../db/faults.ts";
import { DatabaseUnusableError } from "../../db/mod.ts";

function failing(error: Error, times: number): { runs: () => number; operation: () => Promise<string> } {
  let runs = 0;
  return {
    runs: () => runs,
    operation: () => ++runs <= times ? Promise.reject(error) : Promise.resolve("done"),
  };
}

const driverError = (fields: Record<string, unknown>, message = "m") =>
  Object.assign(new Error(message), fields);
const DEADLOCK = driverError({ code: "ER_LOCK_DEADLOCK", errno: 1213 });
const LOST = driverError({ code: "PROTOCOL_CONNECTION_LOST", fatal: true });

Deno.test("runGuarded() runs again when another transaction stood in the way", async () => {
  const { runs, operation } = failing(DEADLOCK, 3);
  assert.equal(await runGuarded(operation), "done");
  assert.equal(runs(), 4);
});

Deno.test("runGuarded() gives up with the cause when it is in the way every time", async () => {
  const { runs, operation } = failing(DEADLOCK, 99);
  await assert.rejects(runGuarded(operation), (error) => {
    assert.ok(error instanceof StoreUnavailableError);
    assert.equal(error.cause, DEADLOCK);
    return true;
  });
  assert.equal(runs(), 5);
});

Deno.test("runGuarded() runs once more, and only once, when the connection was lost", async () => {
  const once = failing(LOST, 1);
  assert.equal(await runGuarded(once.operation), "done");
  const twice = failing(LOST, 2);
  await assert.rejects(runGuarded(twice.operation), StoreUnavailableError);
  assert.equal(twice.runs(), 2);
});

Deno.test("runGuarded() passes a fault of ours on as it is", async () => {
  const error = driverError({ code: "ER_PARSE_ERROR", errno: 1064 });
  const { runs, operation } = failing(error, 1);
  await assert.rejects(runGuarded(operation), error);
  assert.equal(runs(), 1);
});

Deno.test("judgeFault() knows each driver's errors, with a code or with a text alone", async () => {
  const cases: [Error, string][] = [
    [driverError({ code: "ECONNREFUSED" }), "unavailable"],
    [driverError({ code: "ETIMEDOUT" }), "unavailable"],
    [driverError({ code: "ER_CON_COUNT_ERROR", errno: 1040 }), "unavailable"],
    [driverError({ code: "ER_TOO_MANY_USER_CONNECTIONS", errno: 1203 }), "unavailable"],
    [driverError({ code: "ER_SERVER_SHUTDOWN", errno: 1053 }), "unavailable"],
    [driverError({ code: "ER_LOCK_WAIT_TIMEOUT", errno: 1205 }), "contended"],
    [driverError({ code: "EPIPE", errno: -32 }), "disconnected"],
    [driverError({ code: "ECONNRESET" }), "disconnected"],
    [
      driverError({ fatal: true }, "Can't add new command when connection is in closed state"),
      "disconnected",
    ],
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 5 }), "contended"],
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 517 }), "contended"], // BUSY_SNAPSHOT
    [driverError({ code: "ERR_SQLITE_ERROR" }, "database is locked"), "contended"],
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 13 }), "unavailable"],
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 778 }), "unavailable"], // IOERR_WRITE
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 11 }), "damaged"],
    [driverError({ code: "ERR_SQLITE_ERROR" }, "file is not a database"), "damaged"],
    [driverError({ code: "ERR_SQLITE_ERROR", errcode: 19 }), "other"],
    [new TypeError("x"), "other"],
  ];
  for (const [error, fault] of cases) assert.equal(judgeFault(error), fault, error.message);
  const damaged = cases.find(([, fault]) => fault === "damaged")![0];
  await assert.rejects(runGuarded(() => Promise.reject(damaged)), DatabaseUnusableError);
});
