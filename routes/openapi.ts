/**
 * The parts of a route's description that all routes share.
 * @module
 */
import type { z } from "@hono/zod-openapi";
import { type ErrorCode, ERRORS } from "../domain/errors.ts";
import { ErrorAnswer } from "./schemas.ts";

type FaultStatus = (typeof ERRORS)[ErrorCode]["status"];

const json = <T extends z.ZodType>(schema: T) => ({ "application/json": { schema } });

/** A JSON body that has to be there. */
export function body<T extends z.ZodType>(schema: T) {
  return { body: { content: json(schema), required: true } };
}

/** The good answer, and the faults of these statuses with the codes that they can carry. */
export function answers<T extends z.ZodType>(
  schema: T,
  description: string,
  faults: readonly FaultStatus[],
) {
  const errors = Object.fromEntries(
    faults.map((status) => [status, { description: codesOf(status), content: json(ErrorAnswer) }]),
  );
  return { ...errors, 200: { description, content: json(schema) } };
}

function codesOf(status: FaultStatus): string {
  const codes = Object.entries(ERRORS).filter(([, error]) => error.status === status).map(([code]) => code);
  return `${codes.join(" or ")}.`;
}
