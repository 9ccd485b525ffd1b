import assert from "node:assert/strict";
import fc from "fast-check";
import { DrivenClock } from "../../lab/clocks/driven_clock.ts";
import { DeadlineError, type PendingRequest, PendingRequests } from "../../whatsapp/worker/requests.ts";
import { settled } from "../sessions/scripted_sockets.ts";

/** What has come of a request: nothing yet, its answer, or the name and message of its error. */
function outcomeOf<Answer>({ answer }: PendingRequest<Answer>) {
  const outcome: { now: unknown } = { now: "waiting" };
  answer.then(
    (value) => outcome.now = value,
    (error: Error) => outcome.now = `${error.name}: ${error.message}`,
  );
  return outcome;
}

Deno.test("settle() resolves the request of that id with its answer", async () => {
  const requests = new PendingRequests<string>();
  const [first, second] = [requests.add(), requests.add()];
  assert.deepEqual([first.id, second.id], [1, 2]);
  assert.equal(requests.settle(second.id, "b"), "expected");
  assert.equal(requests.settle(first.id, "a"), "expected");
  assert.deepEqual(await Promise.all([first.answer, second.answer]), ["a", "b"]);
  assert.equal(requests.size, 0);
});

Deno.test("settle() returns unexpected when there was no request, when it comes twice, and when it answers another request", async () => {
  const requests = new PendingRequests<string | number>();
  assert.equal(requests.settle(1, "a"), "unexpected");
  const isAnswer = (answer: string | number): answer is string => typeof answer === "string";
  const request = requests.add({ isAnswer });
  for (const id of [0, -1, 2, NaN]) assert.equal(requests.settle(id, "a"), "unexpected");
  assert.equal(requests.settle(request.id, 7), "unexpected");
  assert.equal(requests.settle(request.id, "a"), "expected");
  assert.equal(requests.settle(request.id, "b"), "unexpected");
  assert.equal(await request.answer, "a");
});

Deno.test("add() rejects a request at its deadline, and settle() ignores its answer once when that comes late", async () => {
  const clock = new DrivenClock();
  const requests = new PendingRequests<string>();
  const request = requests.add({ deadline: { clock, ms: 5_000 } });
  const outcome = outcomeOf(request);
  clock.advance(4_999);
  await settled();
  assert.equal(outcome.now, "waiting");
  clock.advance(1);
  await assert.rejects(request.answer, DeadlineError);
  assert.equal(outcome.now, "DeadlineError: No answer within 5000 ms.");
  assert.equal(requests.settle(request.id, "late"), "late");
  assert.equal(requests.settle(request.id, "again"), "unexpected");
});

Deno.test("add() lets an answer be read first when the thread was held up beyond the deadline", async () => {
  for (const ms of [50, 100, 5_000]) {
    const clock = new DrivenClock();
    const requests = new PendingRequests<string>();
    const deadline = { clock, ms };
    const [answered, unanswered] = [requests.add({ deadline }), requests.add({ deadline })];
    const outcome = outcomeOf(unanswered);
    clock.stall(60_000);
    clock.advance(0); // what is due fires before any message is read
    assert.equal(requests.settle(answered.id, "in time"), "expected", `${ms}`);
    assert.equal(await answered.answer, "in time");
    clock.advance(100);
    await settled();
    assert.equal(outcome.now, `DeadlineError: No answer within ${ms} ms.`);
    assert.equal(clock.pending, 0);
  }
});

Deno.test("restartDeadline() counts from the moment of the call, and does nothing when the request is over or has no deadline", async () => {
  const clock = new DrivenClock();
  const requests = new PendingRequests<string>();
  const request = requests.add({ deadline: { clock, ms: 5_000 } });
  const outcome = outcomeOf(request);
  clock.advance(4_999);
  request.restartDeadline(1_000);
  clock.advance(999);
  await settled();
  assert.equal(outcome.now, "waiting");
  clock.advance(1);
  await settled();
  assert.equal(outcome.now, "DeadlineError: No answer within 1000 ms.");
  request.restartDeadline(1_000);
  requests.add().restartDeadline(1_000);
  assert.equal(clock.pending, 0);
});

Deno.test("endSocket() rejects the requests of that socket and of no other", async () => {
  const requests = new PendingRequests<string>();
  const [one, two, none] = [requests.add({ socket: 1 }), requests.add({ socket: 2 }), requests.add()];
  requests.endSocket(1, new Error("The socket is over."));
  await assert.rejects(one.answer, /The socket is over/);
  assert.equal(requests.settle(one.id, "late"), "late");
  for (const { id, answer } of [two, none]) {
    assert.equal(requests.settle(id, "a"), "expected");
    assert.equal(await answer, "a");
  }
});

Deno.test("end() rejects every request, and add() rejects when it is called afterwards", async () => {
  const clock = new DrivenClock();
  const requests = new PendingRequests<string>();
  const before = requests.add({ deadline: { clock, ms: 5_000 } });
  requests.end(new Error("The worker is over."));
  const after = requests.add({ deadline: { clock, ms: 5_000 } });
  for (const { answer } of [before, after]) await assert.rejects(answer, /The worker is over/);
  assert.deepEqual([requests.size, clock.pending], [0, 0]);
});

type Step =
  | { readonly do: "add"; readonly ms: number | null; readonly socket: number | null }
  | { readonly do: "settle"; readonly id: number }
  | { readonly do: "pass" | "stall"; readonly ms: number }
  | { readonly do: "restart"; readonly id: number; readonly ms: number }
  | { readonly do: "endSocket"; readonly socket: number }
  | { readonly do: "end" };

const id = fc.integer({ min: 0, max: 8 });
const ms = fc.integer({ min: 0, max: 500 });
const socket = fc.integer({ min: 1, max: 2 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("add" as const),
      ms: fc.option(ms),
      socket: fc.option(socket),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("settle" as const), id }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("pass" as const, "stall" as const), ms }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const), id, ms }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("endSocket" as const), socket }) },
  { weight: 1, arbitrary: fc.constant({ do: "end" as const }) },
);

/** A request as it ought to be: its answer, when that has come, or why none is waited for. */
interface Expected {
  outcome: string;
  readonly socket: number | null;
  isLateHeard: boolean;
  /** When its deadline is over at the earliest, and whether it has one. */
  due: number;
}

Deno.test("PendingRequests ends each request once, by what came first, in any order of requests, answers, deadlines and ends", async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const clock = new DrivenClock();
    const requests = new PendingRequests<string>();
    const made: PendingRequest<string>[] = [];
    const outcomes: { now: unknown }[] = [];
    const expected: Expected[] = [];
    let isOver = false;
    const finish = (outcome: string, which: (request: Expected) => boolean) => {
      for (const request of expected) {
        if (request.outcome === "waiting" && which(request)) request.outcome = outcome;
      }
    };
    for (const step of steps) {
      switch (step.do) {
        case "add": {
          const options = {
            ...(step.ms === null ? {} : { deadline: { clock, ms: step.ms } }),
            ...(step.socket === null ? {} : { socket: step.socket }),
          };
          const request = requests.add(options);
          made.push(request);
          outcomes.push(outcomeOf(request));
          expected.push({
            outcome: isOver ? "over" : "waiting",
            socket: step.socket,
            isLateHeard: isOver, // it was never sent
            due: step.ms === null ? Infinity : clock.steady() + step.ms,
          });
          break;
        }
        case "settle": {
          const request = expected[step.id - 1];
          const verdict = requests.settle(step.id, `answer ${step.id}`);
          const isLate = request !== undefined && !request.isLateHeard &&
            ["over", "socket over", "overdue"].includes(request.outcome);
          assert.equal(
            verdict,
            request?.outcome === "waiting" ? "expected" : isLate ? "late" : "unexpected",
          );
          if (isLate) request.isLateHeard = true;
          if (request?.outcome === "waiting") request.outcome = `answer ${step.id}`;
          break;
        }
        case "pass":
          clock.advance(step.ms);
          await settled();
          // After a hold-up a request ends up to 100 ms after its deadline, and never before it.
          for (const [i, request] of expected.entries()) {
            if (request.outcome !== "waiting") continue;
            const isRejected = outcomes[i]!.now !== "waiting";
            if (isRejected) assert.ok(clock.steady() >= request.due, "no earlier than its deadline");
            if (isRejected) request.outcome = "overdue";
          }
          break;
        case "stall":
          clock.stall(step.ms);
          break;
        case "restart": {
          const request = expected[step.id - 1];
          made[step.id - 1]?.restartDeadline(step.ms);
          if (request !== undefined && request.due !== Infinity) request.due = clock.steady() + step.ms;
          break;
        }
        case "endSocket":
          requests.endSocket(step.socket, new Error("socket over"));
          finish("socket over", ({ socket }) => socket === step.socket);
          break;
        case "end":
          requests.end(new Error("over"));
          finish("over", () => true);
          isOver = true;
          break;
        default:
          step satisfies never;
      }
    }
    // Every deadline that is left is over after this, the hold-ups included.
    clock.advance(0);
    clock.advance(1_000);
    finish("overdue", ({ due }) => due !== Infinity);
    await settled();
    for (const [i, { outcome }] of expected.entries()) {
      const { now } = outcomes[i]!;
      if (outcome === "overdue") assert.match(String(now), /^DeadlineError: No answer within \d+ ms\.$/);
      else assert.equal(now, outcome.endsWith("over") ? `Error: ${outcome}` : outcome);
    }
    assert.equal(clock.pending, 0, "no timer is left");
    assert.equal(requests.size, expected.filter(({ outcome }) => outcome === "waiting").length);
  }));
});
