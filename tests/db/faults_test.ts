import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
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
    // About the server, the account or something between, in a list of ours or in none.
    [driverError({ code: "ER_ACCESS_DENIED_ERROR", errno: 1045, sqlState: "28000" }), "unavailable"],
    [driverError({ code: "ER_UNKNOWN_COM_ERROR", errno: 1047, sqlState: "08S01" }), "unavailable"],
    [driverError({ code: "ER_TABLEACCESS_DENIED_ERROR", errno: 1142, sqlState: "42000" }), "unavailable"],
    [driverError({ code: "ER_NO_SUCH_TABLE", errno: 1146, sqlState: "42S02" }), "unavailable"],
    [driverError({ errno: 2003, sqlState: "HY000" }), "unavailable"],
    [driverError({ code: "ER_SERVER_OFFLINE_MODE", errno: 3032, sqlState: "HY000" }), "unavailable"],
    [driverError({ errno: 9001, sqlState: "HY000" }), "unavailable"],
    [driverError({ errno: 65_000 }), "unavailable"],
    [driverError({ code: "HANDSHAKE_SSL_ERROR", fatal: true }), "unavailable"],
    [driverError({ code: "ER_UNKNOWN_STMT_HANDLER", errno: 1243, sqlState: "HY000" }), "disconnected"],
    // About one statement and what it holds.
    [driverError({ code: "ER_BAD_NULL_ERROR", errno: 1048, sqlState: "23000" }), "other"],
    [driverError({ code: "ER_DUP_ENTRY", errno: 1062, sqlState: "23000" }), "other"],
    [driverError({ code: "ER_DATA_TOO_LONG", errno: 1406, sqlState: "22001" }), "other"],
    [driverError({ code: "ER_NET_PACKET_TOO_LARGE", errno: 1153, sqlState: "08S01" }), "other"],
    [driverError({ errno: 1366, sqlState: "HY000" }), "other"],
    [driverError({ errno: 3819, sqlState: "HY000" }), "other"],
    [driverError({ errno: 4025, sqlState: "23000" }), "other"],
    [driverError({ errno: 1644, sqlState: "45000" }), "other"],
    [driverError({ code: "ER_PARSE_ERROR", errno: 1064, sqlState: "42000" }), "other"],
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

Deno.test("runGuarded() tells an error that is in no list by its number, and not by its text", async () => {
  const unknown = driverError({ errno: 65_000, sqlState: "HY000" }, "near 'a value of the statement'");
  await assert.rejects(runGuarded(() => Promise.reject(unknown)), (error) => {
    assert.ok(error instanceof StoreUnavailableError);
    assert.equal((error.cause as Error).message, "The server answered with error 65000 (HY000).");
    assert.equal((error.cause as { errno?: unknown }).errno, 65_000);
    return true;
  });
});
