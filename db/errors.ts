/**
 * What stops a start: a database that can be reached and still cannot be used.
 * @module
 */

/**
 * The database cannot be used as it is, and trying again does not help: a bad address, a table that
 * does not fit, a damaged file. The message is one sentence for an operator and holds no secret.
 */
export class DatabaseUnusableError extends Error {
  override readonly name = "DatabaseUnusableError";
}
