/**
 * The OpenAPI document as one readable page, without script and without any other host.
 * @module
 */
import { html, raw } from "hono/html";

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly Record<string, unknown>[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema?: unknown }[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

type Content = Readonly<Record<string, { readonly schema?: unknown }>>;

interface Document {
  readonly info?: { readonly title?: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> };
}

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2330 }
  h2 { margin-top: 2.5rem; border-top: 1px solid #d5dae3; padding-top: 1.5rem }
  code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f2f4f8; border-radius: 4px }
  code { padding: .1em .3em } pre { padding: .8rem; overflow-x: auto }
  table { border-collapse: collapse; width: 100% } td, th { text-align: left; vertical-align: top; padding: .4rem .8rem .4rem 0;
  border-bottom: 1px solid #e6e9ef } .method { text-transform: uppercase; color: #0a6b4f }
  @media (prefers-color-scheme: dark) { body { background: #12161d; color: #dfe5ee } code, pre { background: #1d2430 }
  td, th { border-color: #2a3342 } h2 { border-color: #2a3342 } .method { color: #59c9a5 } }
`;

/** The page; everything that comes from the document is escaped. */
export function renderDocs(document: Document) {
  const { info, paths = {}, components } = document;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => renderOperation(path, method, operation))
  );
  const schemas = Object.entries(components?.schemas ?? {}).map(([name, schema]) =>
    html`
      <h3 id="${name}">${name}</h3>
      <pre>${JSON.stringify(schema, null, 2)}</pre>
    `
  );
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>${info?.title}</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body><h1>${info?.title}</h1>
        <p>${info?.description} The same for machines: <a href="openapi.json">openapi.json</a>.</p>
        ${operations}<h2>Bodies</h2>${schemas}</body>
    </html>
  `;
}

function renderOperation(path: string, method: string, operation: Operation) {
  const parameters = (operation.parameters ?? []).map((parameter) =>
    html`
      <p>In the ${parameter.in}: <code>${parameter.name}</code></p>
      <pre>${JSON.stringify(parameter.schema, null, 2)}</pre>
    `
  );
  const answers = Object.entries(operation.responses).map(([status, { description, content }]) =>
    html`
      <tr>
        <td><code>${status}</code></td>
        <td>${description}</td>
        <td>${nameOf(content)}</td>
      </tr>
    `
  );
  const body = operation.requestBody ? html`<p>The body: ${nameOf(operation.requestBody.content)}</p>` : "";
  return html`<h2><code><span class="method">${method}</span> ${path}</code></h2><p>${operation.summary}. ${operation.description}</p>
    ${parameters}${body}<table><tr><th>status</th><th>means</th><th>body</th></tr>${answers}</table>`;
}

/** A link to the body's schema where it has a name, or its media type. */
function nameOf(content: Content | undefined) {
  const [entry] = Object.entries(content ?? {});
  if (entry === undefined) return "";
  const [type, { schema }] = entry;
  const name = /\/([^/]+)$/.exec(String((schema as { $ref?: string } | undefined)?.$ref ?? ""))?.[1];
  return name === undefined ? html`<code>${type}</code>` : html`<a href="#${name}">${name}</a>`;
}
