/**
 * The contract for machines and for people; both are worked out once, when they are first asked for.
 * @module
 */
import { content, json } from "../pipeline/reply.ts";
import { type Resource, route } from "../pipeline/route.ts";
import { renderDocs } from "./docs_page.ts";

/** Every page is this one: no script, and nothing from another host. */
const POLICY = { "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'" };

/** `/openapi.json` and `/docs`, which the document itself does not name. */
export function docsResource(makeDocument: () => Record<string, unknown>): Resource {
  let document: Record<string, unknown> | null = null;
  const once = () => document ??= makeDocument();
  return {
    under: "",
    role: "anyone",
    isApi: false,
    routes: [
      route({ method: "GET", path: "/openapi.json", role: "anyone", handle: () => json(once()) }),
      route({
        method: "GET",
        path: "/docs",
        role: "anyone",
        handle: async () => content("text/html; charset=UTF-8", String(await renderDocs(once())), POLICY),
      }),
    ],
  };
}
