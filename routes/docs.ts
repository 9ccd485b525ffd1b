/**
 * The contract for machines and for people, from the schemas that validate.
 * @module
 */
import type { OpenAPIHono } from "@hono/zod-openapi";
import { renderDocs } from "./docs_page.ts";

/** What the document says of the service as a whole. */
const INFO = {
  openapi: "3.1.0",
  info: {
    title: "Session Manager",
    version: "1.0.0",
    description: "The sole authority over WhatsApp sessions: their states, their QRs, their logins.",
  },
} as const;

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
