/**
 * Asks a front door that nobody listens at.
 * @module
 */
import type { App } from "../../routes/app.ts";

/** The answer to one request of a program of this machine. */
export async function ask(
  { fetch }: Pick<App, "fetch">,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  return await fetch(new Request(`http://localhost${path}`, init));
}
