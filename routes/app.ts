/**
 * The front door: every resource, behind one pipeline. No state is decided here: requests are checked, use cases
 * called, errors named.
 * @module
 */
import type { MaybePromise } from "../sessions/ports/store.ts";
import { sessionsResource } from "./contract/sessions.ts";
import { openApiDocument } from "./document/openapi.ts";
import { internalEventsResource } from "./internal/events.ts";
import { docsResource } from "./operations/docs.ts";
import { healthResource } from "./operations/health.ts";
import { placesOf } from "./pipeline/matching.ts";
import { createPipeline, type PipelineOptions } from "./pipeline/pipeline.ts";
import type { Resource } from "./pipeline/route.ts";
import type { Operations, Sessions } from "./ports.ts";

const BASE_PATH = "/api/session-manager";

/** Paths of the API that no resource has are limited like the others. */
const REST_OF_API: Resource = { under: BASE_PATH, role: "anyone", isApi: true, routes: [] };

export interface AppOptions extends Omit<PipelineOptions, "resources"> {
  readonly sessions: Sessions;
  readonly operations: Operations;
}

/** The whole HTTP surface. */
export interface App {
  /** Answers one request; without a promise where the answer is known. */
  readonly fetch: (request: Request) => MaybePromise<Response>;
  /** Every route: the pattern of its path, and its method. */
  readonly routes: readonly { readonly path: string; readonly method: string }[];
  /** The OpenAPI document of it. */
  readonly document: () => Record<string, unknown>;
}

/** Wires the resources to the use cases. */
export function createApp({ sessions, operations, ...options }: AppOptions): App {
  const described = [
    sessionsResource(BASE_PATH, sessions),
    internalEventsResource(BASE_PATH, sessions),
    REST_OF_API,
    healthResource(operations),
  ];
  const document = () => openApiDocument(described);
  const resources = [...described, docsResource(document)];
  return {
    fetch: createPipeline({ ...options, resources }),
    routes: placesOf(resources).map(({ pattern, route }) => ({ path: pattern, method: route.method })),
    document,
  };
}
