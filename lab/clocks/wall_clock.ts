/**
 * The wall clock of one thread, set as an operator or a time server sets a machine's: what reads it jumps, and no time
 * passes. The others keep theirs.
 * @module
 */

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/**
 * Sets this thread's wall clock forward or, with a negative number, back, for good; or until the result is disposed.
 * @param byMs milliseconds
 */
export function setWallClock(byMs: number): Disposable {
  const before = globalThis.Date;
  const now = () => before.now() + byMs;
  globalThis.Date = new Proxy(before, {
    get: (target, name) => name === "now" ? now : Reflect.get(target, name),
    construct: (target, given, what) => Reflect.construct(target, given.length === 0 ? [now()] : given, what),
  });
  return { [Symbol.dispose]: () => void (globalThis.Date = before) };
}
