/**
 * Time that stands still in this thread: what is counted by the second is counted in one instant, however long the
 * machine takes. Timers go on.
 * @module
 */

/** Stops both clocks until it is disposed. */
export function stopTime(): Disposable {
  const [now, steady] = [Date.now, performance.now];
  const [wallMs, steadyMs] = [Date.now(), performance.now()];
  Date.now = () => wallMs;
  performance.now = () => steadyMs;
  return {
    [Symbol.dispose]: () => {
      Date.now = now;
      performance.now = steady;
    },
  };
}
