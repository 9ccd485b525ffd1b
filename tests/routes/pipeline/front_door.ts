/**
 * A pipeline over routes of the test's own, or over the product's with scripted use cases, and what it tells.
 * @module
 */
import { type App, createApp } from "../../../routes/app.ts";
import { createPipeline, type PipelineOptions } from "../../../routes/pipeline/pipeline.ts";
import type { Resource } from "../../../routes/pipeline/route.ts";
import type { Sessions } from "../../../routes/ports.ts";

export const KEY = "k".repeat(16);
export const OTHER_KEY = "another".repeat(5);
export const HEADERS = { authorization: `Bearer ${KEY}` };
export const VIEW = {
  instance_id: "a",
  status: "connected",
  qr_status: "used",
  qr_string: null,
  qr_expires_at: null,
} as const;
export const QR = { qr_string: "data:image/png;base64,AAAA", qr_expires_at: "2026-01-04T12:34:56Z" };

/** What a front door has counted and written. */
export interface Told {
  readonly answered: { route: string; method: string; status: number }[];
  /** Lines that an operator sees; `debug` is not among them. */
  readonly lines: Record<string, unknown>[];
}

type Bounds = Partial<Omit<PipelineOptions, "resources" | "log" | "meter" | "rateLimits">> & {
  readonly rateLimits?: Partial<PipelineOptions["rateLimits"]>;
};

function listening(bounds: Bounds): Told & Omit<PipelineOptions, "resources"> {
  const answered: Told["answered"] = [];
  const lines: Told["lines"] = [];
  return {
    answered,
    lines,
    hubKeys: [KEY, OTHER_KEY],
    internalKeys: [KEY],
    ...bounds,
    rateLimits: { key: 0, read: 0, qr: 0, ...bounds.rateLimits },
    log: { debug: () => {}, info: (line) => void lines.push(line), error: (line) => void lines.push(line) },
    meter: { observe: ({ route, method, status }) => void answered.push({ route, method, status }) },
  };
}

/** The product's routes. */
export function frontDoor(sessions: Partial<Sessions> = {}, bounds: Bounds = {}): App & Told {
  const options = listening(bounds);
  const app = createApp({
    ...options,
    sessions: {
      read: () => Promise.resolve(VIEW),
      requestQr: () => Promise.resolve(QR),
      reportConnected: () => Promise.resolve(VIEW),
      reportDisconnected: () => Promise.resolve(VIEW),
      ...sessions,
    },
    operations: {
      readiness: () =>
        Promise.resolve({ status: "ready", checks: { database: "ok", workers: "ok" } } as const),
      metrics: () => Promise.resolve(""),
    },
  });
  return { ...app, answered: options.answered, lines: options.lines };
}

/** Routes of the test's own. */
export function frontDoorOf(resources: readonly Resource[], bounds: Bounds = {}): Pick<App, "fetch"> & Told {
  const options = listening(bounds);
  const { answered, lines } = options;
  return { fetch: createPipeline({ ...options, resources }), answered, lines };
}
