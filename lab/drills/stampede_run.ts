/**
 * One outage: every session is linked, the gateway refuses everybody for a while, and all of them come back.
 * @module
 */
import { DEFAULT_POLICY, type Policy } from "../../domain/snapshot.ts";
import { startGateway } from "../simulator/mod.ts";
import { inTurns, Stage, until } from "./chaos_stage.ts";
import { breakGround } from "./ground.ts";
import { Meter, peakPerSecond, perSecond } from "./stampede_meter.ts";
import { realTime, type StampedeTime } from "./stampede_time.ts";

/** What the product lets through where a drill does not say otherwise: `service.ts`, `LOGINS`. */
const PER_SECOND = 50;

export interface StampedeOptions {
  readonly sessions: number;
  /** How long the gateway refuses everybody, in milliseconds. */
  readonly downMs: number;
  /** Attempts in a second; the product's own limit where it is not given. */
  readonly perSecond?: number;
  readonly policy?: Partial<Policy>;
  readonly workers?: number;
  /** The machine's own time where it is not given. */
  readonly time?: StampedeTime;
  readonly onProgress?: (line: string) => void;
}

export interface StampedeResult {
  readonly limit: number;
  readonly linkedMs: number;
  /** Attempts that arrived while the gateway refused. */
  readonly attemptsWhileDown: number;
  readonly attempts: number;
  /** The most in any second, wherever it begins, as the service made them. */
  readonly peakDeparted: number;
  /** The same as they arrived: a burst that waited for a busy processor arrives closer together than it left. */
  readonly peakArrived: number;
  readonly departedPerSecond: readonly number[];
  /** From the end of the outage until the last session was connected over HTTP, in milliseconds. */
  readonly backMs: number;
  readonly overlaps: number;
  readonly violations: readonly string[];
}

const SECOND_MS = 1_000;
/** How many sessions are linked at once. */
const LINKED_AT_ONCE = 6;
/** How much longer than its worst bound a return may take: the logins themselves, on a busy machine. */
const RETURN_SLACK_MS = 120_000;

export async function runStampede(options: StampedeOptions): Promise<StampedeResult> {
  const { sessions, downMs, perSecond: limit = PER_SECOND, time = realTime, onProgress = () => {} } = options;
  const ids = Array.from({ length: sessions }, (_, i) => `stampede-${i + 1}`);
  await using gateway = await startGateway();
  await using ground = (await breakGround("sqlite"))!;
  await using stage = await Stage.start({
    peer: gateway,
    database: ground.environment,
    workers: options.workers ?? 1,
    ...(options.policy ? { policy: options.policy } : {}),
    supervision: {
      clock: time.clock,
      ...(options.perSecond === undefined ? {} : { logins: { perSecond: limit } }),
      // Time that is driven does not wait for a heartbeat.
      ...(time === realTime ? {} : { watch: { heartbeatMs: 86_400_000 } }),
    },
  });
  time.attend(stage);
  const connected = new Set<string>();
  stage.service.sessions.onChange(({ after: { session } }) => {
    if (session.status === "connected") connected.add(session.instanceId);
    else connected.delete(session.instanceId);
  });
  const patienceMs = sessions * 1_000 + RETURN_SLACK_MS;
  const linkedMs = await timed(async () => {
    await inTurns(ids, LINKED_AT_ONCE, async (id) => {
      const { qr_string } = await stage.hub.obtainQr(id);
      await gateway.phone().scan(qr_string);
      if (connected.size % 100 === 99) onProgress(`${connected.size + 1} linked`);
    });
    await time.until(() => connected.size === sessions, patienceMs, "every session linked");
  });
  // The logins that belong to a pairing count too, and are over by then.
  await time.pass(SECOND_MS);
  onProgress(`${sessions} linked in ${Math.round(linkedMs / 1_000)} s; the outage begins`);

  using meter = new Meter(gateway, time.clock);
  const downAt = time.clock.steady();
  const refusal = gateway.faults.add({ do: "refuse" });
  gateway.dropAll("terminate");
  await until(() => connected.size === 0, patienceMs, "every session lost");
  await time.pass(downMs);
  const attemptsWhileDown = meter.arrivals.length;
  refusal.remove();
  const upAt = time.clock.steady();
  onProgress(`the outage is over; ${connected.size} connected`);
  const capMs = (options.policy?.backoff ?? DEFAULT_POLICY.backoff).capMs;
  await time.until(() => connected.size === sessions, capMs + RETURN_SLACK_MS, "every session back");
  const backMs = time.clock.steady() - upAt;

  const violations: string[] = [];
  const peakDeparted = peakPerSecond(meter.departures);
  const peakArrived = peakPerSecond(meter.arrivals);
  if (peakDeparted > limit) violations.push(`${peakDeparted} attempts were made within a second`);
  await inTurns(ids, LINKED_AT_ONCE, async (id) => {
    const { status } = await stage.hub.session(id);
    if (status !== "connected") violations.push(`${id} is ${status} over HTTP`);
  });
  const online = gateway.devices().filter((device) => device.online).length;
  if (online !== sessions) violations.push(`${online} devices are online`);
  const { overlaps } = gateway.stats;
  if (overlaps > 0) violations.push(`${overlaps} overlaps`);
  return {
    limit,
    linkedMs,
    attemptsWhileDown,
    attempts: meter.arrivals.length,
    peakDeparted,
    peakArrived,
    departedPerSecond: perSecond(meter.departures, downAt),
    backMs,
    overlaps,
    violations,
  };
}

async function timed(work: () => Promise<void>): Promise<number> {
  const since = performance.now();
  await work();
  return performance.now() - since;
}
