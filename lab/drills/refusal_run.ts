/**
 * Links that WhatsApp refuses for a while, half of them with a Hub that asks for a QR every second: what asking costs.
 * @module
 */
import type { Policy } from "../../domain/snapshot.ts";
import type { Answer } from "../hub.ts";
import { type FaultHandle, type Phone, startGateway } from "../simulator/mod.ts";
import { inTurns, Stage, until } from "./chaos_stage.ts";
import { breakGround, type DialectName } from "./ground.ts";
import { pause } from "./random.ts";

export interface RefusalOptions {
  readonly dialect: DialectName;
  /** The first half of them is asked for, the others are left alone. */
  readonly sessions: number;
  /** How long WhatsApp refuses every login, in milliseconds. */
  readonly refusedMs: number;
  /** How often a QR of each is asked for, in milliseconds. */
  readonly askMs: number;
  /** The longest that any may take to be back, in milliseconds. */
  readonly backMs: number;
  readonly policy?: Partial<Policy>;
}

/** One link. Times are in milliseconds. */
export interface RefusedLink {
  readonly instanceId: string;
  readonly isAskedFor: boolean;
  /** Calls of `POST /qr` while it was away. */
  readonly calls: number;
  /** Logins that WhatsApp refused. */
  readonly attempts: number;
  /** From the end of the refusals until it was connected over HTTP. */
  readonly backMs: number;
}

export interface RefusalResult {
  readonly links: readonly RefusedLink[];
  readonly violations: readonly string[];
}

const LINKED_AT_ONCE = 4;
/** It only ends what hangs, in milliseconds. */
const PATIENCE_MS = 600_000;
/** Answers that a Hub has to expect while its session is away: a QR, "it is being tried", "no more pairings now". */
const EXPECTED: ReadonlySet<number> = new Set([200, 409, 429, 500]);

interface Subject {
  readonly instanceId: string;
  readonly phone: Phone;
  readonly isAskedFor: boolean;
  calls: number;
  attempts: number;
  backMs: number;
}

/** @returns null when there is no server for this dialect on this machine */
export async function runRefusal(options: RefusalOptions): Promise<RefusalResult | null> {
  await using ground = await breakGround(options.dialect);
  if (ground === null) return null;
  await using gateway = await startGateway();
  await using stage = await Stage.start({
    peer: gateway,
    database: ground.environment,
    ...(options.policy ? { policy: options.policy } : {}),
  });
  const subjects: Subject[] = Array.from({ length: options.sessions }, (_, i) => ({
    instanceId: `refused-${i + 1}`,
    phone: gateway.phone(),
    isAskedFor: i < options.sessions / 2,
    calls: 0,
    attempts: 0,
    backMs: NaN,
  }));
  const status = async ({ instanceId }: Subject) => (await stage.hub.session(instanceId)).status;
  await inTurns(subjects, LINKED_AT_ONCE, async (subject) => {
    const { qr_string } = await stage.hub.qr(subject.instanceId);
    await subject.phone.scan(qr_string);
    await until(async () => await status(subject) === "connected", PATIENCE_MS, "every session linked");
  });

  const violations: string[] = [];
  const refusals: FaultHandle[] = subjects.map(({ phone }) =>
    gateway.faults.add({ do: "failure", code: 503, device: phone.devices[0]!.jid })
  );
  const off = gateway.on(({ kind, phone }) => {
    const subject = kind === "failure" ? subjects.find((one) => one.phone.number === phone) : undefined;
    if (subject !== undefined) subject.attempts++;
  });
  gateway.dropAll("terminate");
  await until(
    async () => !(await Promise.all(subjects.map(status))).includes("connected"),
    PATIENCE_MS,
    "every session lost",
  );
  const asking = new AbortController();
  const asked = subjects.filter(({ isAskedFor }) => isAskedFor).map(async (subject) => {
    while (!asking.signal.aborted && Number.isNaN(subject.backMs)) {
      const answer: Answer = await stage.hub.requestQr(subject.instanceId);
      subject.calls++;
      if (!EXPECTED.has(answer.status)) {
        violations.push(`${subject.instanceId} was answered ${answer.status}`);
      }
      await pause(options.askMs);
    }
  });
  await pause(options.refusedMs);
  for (const refusal of refusals) refusal.remove();
  const since = performance.now();
  try {
    await Promise.all(subjects.map(async (subject) => {
      await until(
        async () => await status(subject) === "connected",
        PATIENCE_MS,
        `${subject.instanceId} back`,
      );
      subject.backMs = performance.now() - since;
    }));
  } finally {
    asking.abort();
    await Promise.all(asked);
    off();
  }
  for (const { instanceId, phone, backMs } of subjects) {
    if (backMs > options.backMs) violations.push(`${instanceId} was back after ${Math.round(backMs)} ms`);
    if (phone.devices.length !== 1) violations.push(`${instanceId} has ${phone.devices.length} devices`);
  }
  const { overlaps } = gateway.stats;
  if (overlaps > 0) violations.push(`${overlaps} overlaps`);
  return {
    links: subjects.map(({ instanceId, isAskedFor, calls, attempts, backMs }) => ({
      instanceId,
      isAskedFor,
      calls,
      attempts,
      backMs,
    })),
    violations,
  };
}
