/**
 * The log as this room knows it: one event a call, as fields. Any well-kept logger fits.
 * @module
 */

/** One line of the log; secrets are struck out before it is written. */
export interface LogFields {
  /** What happened, in snake case. */
  readonly event: string;
  readonly [field: string]: unknown;
}

/** Where events are logged, by level. No call throws. */
export interface Log {
  debug(fields: LogFields): void;
  info(fields: LogFields): void;
  warn(fields: LogFields): void;
  error(fields: LogFields): void;
}
