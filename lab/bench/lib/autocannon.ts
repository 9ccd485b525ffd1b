/**
 * `autocannon` for machines without `wrk`, as a process of its own: `autocannon.ts <plan> <connections> <seconds>`.
 * @module
 */
import autocannon from "autocannon";
import type { Target } from "./load.ts";

const [file = "", connections, seconds] = Deno.args;
const { origin, method, paths, key }: Target = JSON.parse(await Deno.readTextFile(file));
// Each connection goes through the list in order; shuffled, that is at random over all of them.
const shuffled = paths.map((path) => ({ path, place: Math.random() })).sort((a, b) => a.place - b.place);
const { requests, latency, errors, timeouts, non2xx } = await autocannon({
  url: origin,
  connections: Number(connections),
  duration: Number(seconds),
  ...(key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } }),
  requests: shuffled.map(({ path }) => ({ method, path })),
});
const result = {
  perSecond: requests.average,
  p50Ms: latency.p50,
  p99Ms: latency.p99,
  failures: errors + timeouts + non2xx,
};
console.log(`result ${JSON.stringify(result)}`);
