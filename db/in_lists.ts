/**
 * Long lists of names, cut for `IN (…)`.
 * @module
 */

/** Names in one `IN (…)` at most. */
const IN_LIST = 1_000;

/** The names in lists of the length that a statement takes. */
export function* inLists<T>(names: readonly T[]): Generator<T[]> {
  for (let start = 0; start < names.length; start += IN_LIST) yield names.slice(start, start + IN_LIST);
}
