import assert from "node:assert/strict";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { createMetrics } from "../../runtime/metrics.ts";
import { RequestMeter } from "../../runtime/request_meter.ts";
import { TimesHistogram } from "../../runtime/times.ts";

Deno.test("a histogram of times reads as the library's own, whatever was observed", async () => {
  await fc.assert(fc.asyncProperty(
    fc.array(fc.tuple(fc.constantFrom("a", "b"), fc.double({ min: 0, max: 2, noNaN: true })), {
      maxLength: 40,
    }),
    async (observations) => {
      const shape = {
        name: "t_seconds",
        help: "Times.",
        buckets: [0.1, 0.5, 1],
        labelNames: ["what"] as "what"[],
      };
      const [ours, theirs] = [new Registry(), new Registry()];
      const times = new TimesHistogram<"what">({ ...shape, registers: [ours] });
      const histogram = new Histogram<"what">({ ...shape, registers: [theirs] });
      const kept = new Map<string, ReturnType<typeof times.of>>();
      for (const [what, seconds] of observations) {
        const cell = kept.get(what) ?? times.of({ what });
        kept.set(what, cell);
        cell.observe(seconds);
        histogram.observe({ what }, seconds);
      }
      assert.equal(await ours.metrics(), await theirs.metrics());
      assert.deepEqual(
        (await ours.getMetricsAsJSON()).map(({ name, type }) => ({ name, type })),
        (await theirs.getMetricsAsJSON()).map(({ name, type }) => ({ name, type })),
      );
    },
  ));
});

Deno.test("answers are counted once, by route, method and status, however often somebody looks", async () => {
  const metrics = createMetrics();
  const meter = new RequestMeter(metrics);
  const answer = (status: number) => meter.observe({ route: "/r", method: "GET", status, seconds: 0.002 });
  const counted = async () => {
    meter.tell();
    return (await metrics.registry.metrics()).split("\n").filter((line) =>
      line.startsWith("session_manager_http_requests_total{") ||
      line.startsWith("session_manager_http_request_duration_seconds_count")
    );
  };
  answer(200);
  answer(200);
  answer(404);
  const lines = [
    'session_manager_http_requests_total{route="/r",method="GET",status="200"} 2',
    'session_manager_http_requests_total{route="/r",method="GET",status="404"} 1',
    'session_manager_http_request_duration_seconds_count{route="/r",method="GET"} 3',
  ];
  assert.deepEqual(await counted(), lines);
  assert.deepEqual(await counted(), lines);
  answer(404);
  assert.equal((await counted())[1], lines[1]!.replace(/1$/, "2"));
});
