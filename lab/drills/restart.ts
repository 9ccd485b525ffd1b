/**
 * How long a restart takes: many linked sessions, from the start of the process until all are connected.
 * @module
 */
import assert from "node:assert/strict";
import { Hub } from "../hub.ts";
import { type Gateway, startGateway } from "../simulator/mod.ts";
import type { Ground } from "./ground.ts";
import { pause } from "./random.ts";
import { lastingPort, ServiceProcess } from "./service_process.ts";
import { median, seconds } from "./tally.ts";

/** How often each way of stopping is measured. */
const REPEATS = 3;
/** How many sessions are linked at the same time while the scene is set. */
const AT_ONCE = 4;
/** How long all of them may take, in milliseconds. */
const PATIENCE_MS = 120_000;
/** How long the questions rest between two rounds of them, in milliseconds. */
const REST_MS = 20;

/**
 * Links so many sessions, stops the service and starts it again: properly and by `kill -9`, in turn.
 * @returns one line a way of stopping
 * @throws when not every session comes back, or one logs in twice at a time
 */
export async function measureRestarts(ground: Ground, sessions: number): Promise<string[]> {
  await using gateway = await startGateway();
  const port = lastingPort();
  const settings = { port, database: ground.environment, gateway };
  const hub = new Hub(`http://127.0.0.1:${port}`);
  const names = Array.from({ length: sessions }, (_, index) => `restart_${index + 1}`);
  let service = new ServiceProcess(settings);
  try {
    await service.listening;
    await linkAll(gateway, hub, names);
    const times = { SIGTERM: [] as number[], SIGKILL: [] as number[] };
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        if (signal === "SIGTERM") assert.equal(await service.stop(), 0, "the service did not stop well");
        else await service.kill9();
        service = new ServiceProcess(settings);
        await service.listening;
        await untilConnected(gateway, hub, names);
        times[signal].push(performance.now() - service.startedAt);
      }
    }
    assert.equal(gateway.stats.overlaps, 0, "a login overlapped with an earlier one");
    return Object.entries(times).map(([signal, list]) =>
      `${sessions} sessions after ${signal}: all connected in ${seconds(median(list))} ` +
      `(${list.map(seconds).join(", ")})`
    );
  } finally {
    await service.kill9();
  }
}

async function linkAll(gateway: Gateway, hub: Hub, names: readonly string[]): Promise<void> {
  const queue = [...names];
  const work = async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
      const phone = gateway.phone();
      const online = gateway.when("online", { phone: phone.number, timeoutMs: PATIENCE_MS });
      const { outcome } = await phone.scan((await hub.obtainQr(name)).qr_string);
      assert.equal(outcome, "paired");
      await online;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  await untilConnected(gateway, hub, names);
}

/** Waits at the gateway first: questions would only take time from what is measured. */
async function untilConnected(gateway: Gateway, hub: Hub, names: readonly string[]): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  const rest = async (count: number) => {
    if (performance.now() > end) throw new Error(`${count} sessions did not come back.`);
    await pause(REST_MS);
  };
  const absent = () => gateway.devices().filter(({ online }) => !online).length;
  while (absent() > 0) await rest(absent());
  for (let open = [...names]; open.length > 0;) {
    const views = await Promise.all(open.map((name) => hub.session(name)));
    open = open.filter((_, index) => views[index]?.status !== "connected");
    if (open.length > 0) await rest(open.length);
  }
}
