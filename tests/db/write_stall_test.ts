import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { SilenceError } from "../../db/breaker.ts";
import { runGuarded } from "../../db/faults.ts";
import { UnansweredError } from "../../db/terms.ts";
import { WriteLanes } from "../../db/write_lanes.ts";
import { StallError, WriteStall } from "../../db/write_stall.ts";

const unanswered = () => new UnansweredError("The server did not answer within 2500 ms.");

Deno.test("WriteStall refuses once two writes in a row were not answered, until one is", async () => {
  const stall = new WriteStall();
  stall.failed(unanswered());
  stall.admit();
  stall.answered();
  stall.failed(unanswered());
  stall.admit(); // the one before has been answered
  stall.failed(unanswered());
  let refusal: unknown;
  assert.throws(() => stall.admit(), (error) => {
    refusal = error;
    return error instanceof StallError;
  });
  await assert.rejects(stall.probe(() => Promise.reject(unanswered())), UnansweredError);
  assert.throws(() => stall.admit(), StallError);
  assert.equal(await stall.probe(() => Promise.resolve("written")), "written");
  stall.admit();
  await (refusal as StallError).recovery;
});

Deno.test("WriteStall takes no other failure for silence", () => {
  const stall = new WriteStall();
  const errors = [
    Object.assign(new Error("Lock wait timeout exceeded"), { errno: 1205 }),
    Object.assign(new Error("The table is full"), { errno: 1114 }),
    Object.assign(new Error("no connection in time"), { code: "ETIMEDOUT" }),
    new SilenceError(Promise.resolve()),
  ];
  for (const error of [...errors, ...errors]) stall.failed(error);
  stall.admit();
});

Deno.test("WriteLanes lets nobody write while writes are stuck, and tells the store when to try again", async () => {
  const lanes = new WriteLanes(10);
  const stuck = () => lanes.run(() => Promise.reject(unanswered()));
  for (let n = 0; n < 2; n++) await assert.rejects(stuck(), UnansweredError);
  let writes = 0;
  const write = () => runGuarded(() => lanes.run(() => Promise.resolve(++writes)));
  let recovery: Promise<void> | null = null;
  await assert.rejects(write(), (error) => {
    assert.ok(error instanceof StoreUnavailableError);
    recovery = error.recovery;
    return true;
  });
  assert.equal(writes, 0);
  lanes.stall.answered();
  await recovery!;
  assert.equal(await write(), 1);
});
