/**
 * Holds answers against the OpenAPI document that is committed: what the document does not say, no answer may.
 * @module
 */
import { Ajv2020, type ValidateFunction } from "ajv/2020";
import document from "../openapi.json" with { type: "json" };

interface ErrorBody {
  readonly error: { readonly code: string };
}

interface Answers {
  readonly [status: string]: {
    readonly content?: {
      readonly "application/json"?: { readonly schema: unknown; readonly example?: ErrorBody };
    };
  };
}

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "contract", ...document });

/** Each operation: its method, its path as a pattern, and what it may answer. */
const OPERATIONS = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase(),
    pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`),
    pointer: `#/paths/${path.replaceAll("~", "~0").replaceAll("/", "~1")}/${method}/responses`,
    answers: operation.responses as Answers,
  }))
);

const validators = new Map<string, ValidateFunction>();

/**
 * @throws {Error} when the document does not have this answer
 */
export function checkAnswer(method: string, pathname: string, status: number, body: unknown): void {
  const operation = OPERATIONS.find((known) => known.method === method && known.pattern.test(pathname));
  // What is no operation has the errors that every server has: no such route, no such method.
  if (operation === undefined) return check("#/components/schemas/Error", body, `${method} ${pathname}`);
  const answer = operation.answers[status];
  if (answer === undefined) throw new Error(`The document has no ${status} for ${method} ${pathname}.`);
  const pointer = `${operation.pointer}/${status}/content/application~1json/schema`;
  check(pointer, body, `${status} of ${method} ${pathname}`);
  const code = answer.content?.["application/json"]?.example?.error.code;
  const told = (body as Partial<ErrorBody>).error?.code;
  if (code !== told) {
    throw new Error(`The document has ${code}, not ${told}, for a ${status} of ${method} ${pathname}.`);
  }
}

function check(pointer: string, body: unknown, what: string): void {
  const validate = validators.get(pointer) ?? ajv.compile({ $ref: `contract${encodeURI(pointer)}` });
  validators.set(pointer, validate);
  if (!validate(body)) {
    throw new Error(`The document knows no such body: ${what}: ${ajv.errorsText(validate.errors)}`);
  }
}
