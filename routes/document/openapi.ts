/**
 * The contract for machines, from the routes and the schemas that validate.
 * @module
 */
import { OpenAPIHono, type RouteConfig, type z } from "@hono/zod-openapi";
import project from "../../deno.json" with { type: "json" };
import type { Role } from "../pipeline/keys.ts";
import type { Resource, Route } from "../pipeline/route.ts";
import { type RouteDescription, TAGS } from "./description.ts";
import { errors, type Fault } from "./errors.ts";
import { describeHeaders } from "./headers.ts";

const DESCRIPTION = [
  "The sole authority over WhatsApp sessions: their states, their QRs, their logins.",
  "Every answer is application/json with Cache-Control: no-store, but for /metrics. Every error has the body Error; besides those of each operation, a path that no route has is 404 NOT_FOUND, and a method that a route does not have is 405 METHOD_NOT_ALLOWED.",
  "Where no key is set the service listens on loopback alone and serves programs of its own machine: Host has to be loopback, and a page of another site is 403 FORBIDDEN.",
].join("\n\n");

/** What the document says of the service as a whole. */
const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Session Manager",
    version: project.version,
    description: DESCRIPTION,
    contact: { name: "Maintainers of the Session Manager" },
    license: { name: "Proprietary", identifier: "LicenseRef-Proprietary" },
  },
  servers: [{ url: "/", description: "The service that serves this document." }],
  tags: [...TAGS],
};

/** The name of each role's keys in the document, and the variable that holds them. */
const SCHEMES: Readonly<
  Record<Exclude<Role, "anyone">, { readonly name: string; readonly variable: string }>
> = {
  hub: { name: "hubKey", variable: "HUB_API_KEY" },
  internal: { name: "internalKey", variable: "INTERNAL_API_KEY" },
};

/** The OpenAPI 3.1 document of every route that describes itself. */
export function openApiDocument(resources: readonly Resource[]): Record<string, unknown> {
  const generator = new OpenAPIHono();
  for (const resource of resources) {
    for (const route of resource.routes) {
      const { description } = route;
      if (description !== undefined) {
        generator.openAPIRegistry.registerPath(operation(resource, route, description));
      }
    }
  }
  for (const { name, variable } of Object.values(SCHEMES)) {
    generator.openAPIRegistry.registerComponent("securitySchemes", name, {
      type: "http",
      scheme: "bearer",
      description: `One of ${variable}, where it is set.`,
    });
  }
  describeHeaders(generator);
  return { ...generator.getOpenAPI31Document(INFO) };
}

function operation(resource: Resource, route: Route, words: RouteDescription): RouteConfig {
  const { method, path, role, params, query, body } = route;
  const { operationId, tag, summary, description, answers } = words;
  return {
    method: method.toLowerCase() as Lowercase<typeof method>,
    path: `${resource.under}${path}`,
    operationId,
    tags: [tag],
    summary,
    description,
    security: role === "anyone" ? [] : [{ [SCHEMES[role].name]: [] }],
    request: {
      ...(params === undefined ? {} : { params: params as z.ZodObject }),
      ...(query === undefined ? {} : { query: query as z.ZodObject }),
      ...(body === undefined ? {} : {
        body: {
          content: { "application/json": { schema: body } },
          required: true,
          description: words.body ?? "",
        },
      }),
    },
    responses: { ...errors([...guardFaults(resource, route), ...words.faults ?? []]), ...answers },
  };
}

/** What the pipeline refuses before the handler, and the code of a failure. */
function guardFaults({ isApi }: Resource, { method, role, params, query, body, failure }: Route): Fault[] {
  const faults: Fault[] = ["FORBIDDEN"];
  if (role !== "anyone") faults.push("UNAUTHORIZED");
  if (params !== undefined || query !== undefined || body !== undefined) faults.push("INVALID_REQUEST");
  if (body !== undefined) faults.push("UNSUPPORTED_MEDIA_TYPE");
  if (isApi) faults.push("TOO_MANY_REQUESTS", failure ?? "SESSION_MANAGER_ERROR");
  if (isApi && method !== "GET") faults.push("PAYLOAD_TOO_LARGE");
  return faults;
}
