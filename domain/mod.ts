/**
 * The pure rules of the product: no clock, no randomness, no input or output, no permission.
 * Clients of the service may import it for the frozen names and the reaction table.
 * @module
 */
export * from "./answer.ts";
export * from "./backoff.ts";
export * from "./disconnect.ts";
export * from "./errors.ts";
export * from "./events.ts";
export * from "./life.ts";
export type { Circumstances, Transition } from "./moves.ts";
export * from "./names.ts";
export * from "./phone.ts";
export * from "./ports.ts";
export * from "./qr.ts";
export * from "./reaction.ts";
export * from "./session.ts";
export * from "./transition.ts";
export * from "./view.ts";
