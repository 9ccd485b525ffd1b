/**
 * The log as this room knows it: one event a call, as fields. Any well-kept logger fits.
 * @module
 */

export interface LogFields {
  /** What happened, in snake case. */
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Log {
  debug(fields: LogFields): void;
  info(fields: LogFields): void;
  warn(fields: LogFields): void;
  error(fields: LogFields): void;
}
