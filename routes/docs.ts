/**
 * The contract for machines and for people, from the schemas that validate.
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import project from "../deno.json" with { type: "json" };
import { renderDocs } from "./docs_page.ts";
import { TAGS } from "./openapi.ts";

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

/** The OpenAPI 3.1 document of everything that is registered on `app`. */
export function openApiDocument(app: OpenAPIHono): Record<string, unknown> {
  return { ...app.getOpenAPI31Document(INFO) };
}

/** `/openapi.json` and `/docs`; both are worked out once, when they are first asked for. */
export function docsRoutes(app: OpenAPIHono): void {
  let document: Record<string, unknown> | null = null;
  const once = () => document ??= openApiDocument(app);

  app.get("/openapi.json", (c) => c.json(once()));
  app.get("/docs", (c) => {
    c.header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
    return c.html(renderDocs(once()));
  });
}
