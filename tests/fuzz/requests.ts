/**
 * Requests made up from the OpenAPI document: good ones, and good ones with something wrong.
 * @module
 */
import fc from "fast-check";
import document from "../../openapi.json" with { type: "json" };

/** What is sent, and whether the document allows it. */
export interface FuzzRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly isValid: boolean;
}

interface Schema {
  readonly $ref?: string;
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly schema: Schema }[];
  readonly requestBody?: { readonly content: { readonly "application/json": { readonly schema: Schema } } };
}

interface KnownOperation extends Operation {
  readonly method: string;
  readonly path: string;
}

/** The contract's operations; those of the operator's machines take no input. */
const OPERATIONS: readonly KnownOperation[] = Object.entries(document.paths)
  .filter(([path]) => path.startsWith("/api/"))
  .flatMap(([path, methods]) =>
    Object.entries(methods as Record<string, Operation>).map(([method, operation]) => ({
      ...operation,
      method: method.toUpperCase(),
      path,
    }))
  );

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

function resolve(schema: Schema): Schema {
  const name = schema.$ref?.split("/").at(-1);
  return name === undefined
    ? schema
    : (document.components.schemas as Record<string, Schema>)[name] ?? schema;
}

/** A value that the schema allows. `known` are instances that exist. */
function allowed(name: string, schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  const pattern = new RegExp(schema.pattern ?? ".*");
  const made = fc.stringMatching(pattern);
  return name === "instance_id" ? fc.oneof(fc.constantFrom(...known), made) : made;
}

/** A value that the schema does not allow, of any type. */
function forbidden(schema: Schema): fc.Arbitrary<unknown> {
  const pattern = new RegExp(schema.pattern ?? ".*");
  const fits = (value: unknown) =>
    typeof value === "string" && (schema.enum?.includes(value) ?? pattern.test(value));
  return fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.string({ maxLength: 80 }),
    fc.constantFrom("", " ", "\u0000", "../..", "' OR 1=1 --", "a".repeat(65), "+0", "logout", "null"),
    fc.jsonValue({ maxDepth: 2 }),
  ).filter((value) => !fits(value));
}

/** A path with its parameter in place, percent-encoded as a client would. */
function pathArbitrary(
  operation: KnownOperation,
  known: readonly string[],
  spoil: boolean,
): fc.Arbitrary<string> {
  const [parameter] = operation.parameters ?? [];
  if (parameter === undefined) return fc.constant(operation.path);
  const schema = resolve(parameter.schema);
  const value = spoil
    // What is empty, or dots alone, is another path, and another answer.
    ? forbidden(schema).filter((made): made is string => typeof made === "string" && !/^\.{0,2}$/.test(made))
    : allowed(parameter.name, schema, known);
  return value.map((made) => operation.path.replace(/\{[^}]+\}/, encode(made)));
}

/** Percent-encoding that knows lone surrogates, which no text holds, but a fuzzer does. */
function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(".", "%2E");
}

function objectArbitrary(schema: Schema, known: readonly string[]): fc.Arbitrary<Record<string, unknown>> {
  const properties = Object.entries(schema.properties ?? {});
  return fc.record(
    Object.fromEntries(properties.map(([name, each]) => [name, allowed(name, resolve(each), known)])),
  );
}

/** A body with one field wrong or missing, or no object, or no JSON at all. */
function spoiltBody(schema: Schema, known: readonly string[]): fc.Arbitrary<string> {
  const properties = Object.entries(schema.properties ?? {});
  const wrongField = fc.constantFrom(...properties).chain(([name, each]) =>
    fc.tuple(objectArbitrary(schema, known), fc.option(forbidden(resolve(each)), { nil: undefined }))
      .map(([good, bad]) => JSON.stringify({ ...good, [name]: bad }))
  );
  const noObject = fc.jsonValue({ maxDepth: 3 })
    .filter((value) => typeof value !== "object" || value === null || Array.isArray(value))
    .map((value) => JSON.stringify(value));
  const noJson = fc.string({ maxLength: 300 }).filter((text) => {
    try {
      JSON.parse(text);
      return false;
    } catch {
      return true;
    }
  });
  const tooLarge = objectArbitrary(schema, known).map((good) =>
    JSON.stringify({ ...good, padding: "x".repeat(65_536) })
  );
  return fc.oneof({ weight: 6, arbitrary: wrongField }, { weight: 2, arbitrary: noObject }, {
    weight: 2,
    arbitrary: noJson,
  }, { weight: 1, arbitrary: tooLarge });
}

const JSON_HEADERS = { "content-type": "application/json" };

function requestOf(operation: KnownOperation, known: readonly string[]): fc.Arbitrary<FuzzRequest> {
  const { method } = operation;
  const schema = operation.requestBody && resolve(operation.requestBody.content["application/json"].schema);
  const headers = schema === undefined ? {} : JSON_HEADERS;
  const goodPath = pathArbitrary(operation, known, false);
  const goodBody = schema === undefined
    ? fc.constant(null)
    : objectArbitrary(schema, known).map((o) => JSON.stringify(o));
  const good = fc.tuple(goodPath, goodBody)
    .map(([path, body]): FuzzRequest => ({ method, path, headers, body, isValid: true }));
  const bad: fc.Arbitrary<FuzzRequest>[] = [
    fc.tuple(fc.constantFrom(...METHODS), goodPath)
      .filter(([other]) => other !== method && !(method === "GET" && other === "HEAD"))
      .map(([other, path]) => ({ method: other, path, headers: {}, body: null, isValid: false })),
  ];
  if (operation.parameters !== undefined) {
    bad.push(
      fc.tuple(pathArbitrary(operation, known, true), goodBody)
        .map(([path, body]) => ({ method, path, headers, body, isValid: false })),
    );
  }
  if (schema !== undefined) {
    bad.push(
      spoiltBody(schema, known).map((body) => ({
        method,
        path: operation.path,
        headers,
        body,
        isValid: false,
      })),
      fc.tuple(goodBody, fc.constantFrom("text/plain", "application/xml", "multipart/form-data", "")).map((
        [body, type],
      ) => ({ method, path: operation.path, headers: { "content-type": type }, body, isValid: false })),
    );
  }
  return fc.oneof({ weight: 1, arbitrary: good }, { weight: 3, arbitrary: fc.oneof(...bad) });
}

/** Any request to any operation; a quarter of them is good. `known` are instances that exist. */
export function fuzzRequest(known: readonly string[]): fc.Arbitrary<FuzzRequest> {
  return fc.oneof(...OPERATIONS.map((operation) => requestOf(operation, known)));
}
