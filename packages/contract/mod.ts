/**
 * The contract between the Session Manager and whoever consumes it: the frozen names, the reaction table, the
 * catalogue of errors and the shapes on the wire. Pure, without a dependency, for any runtime.
 * @module
 */
export * from "./errors.ts";
export * from "./names.ts";
export * from "./reaction.ts";
export * from "./wire.ts";
