/**
 * What libraries print.
 * @module
 */

/**
 * From now on this thread prints nothing. `libsignal` prints whole sessions, keys included; and printing waits for
 * a reader that pauses, and throws where there is none, in the middle of a message's decryption.
 */
export function silenceConsole(): void {
  for (const name of Object.keys(console) as (keyof Console)[]) {
    if (typeof console[name] === "function") console[name] = () => {};
  }
}
