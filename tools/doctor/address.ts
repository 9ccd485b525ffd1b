/**
 * The address where HTTP is answered: is it this machine's, and is it free or already the service's.
 * @module
 */
import type { Config } from "../../config.ts";
import { type Check, fault, ok, warning } from "./report.ts";

const NAME = "address";
/** How long whoever has the port may take to say that it is the service, in milliseconds. */
const ANSWER_MS = 2_000;

/** Listens for an instant. */
export async function checkAddress({ host, port }: Config): Promise<Check> {
  const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  try {
    Deno.listen({ hostname: host, port }).close();
    return ok(NAME, `${place} is free.`);
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return await whoseIs(place);
    if (error instanceof Deno.errors.PermissionDenied) {
      return fault(NAME, `This user may not listen on ${place}.`, "Choose a PORT above 1023.");
    }
    return fault(NAME, `${place} is no address of this machine.`, "Mend HOST.");
  }
}

async function whoseIs(place: string): Promise<Check> {
  try {
    const response = await fetch(`http://${place}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const { status } = await response.json();
    if (response.ok && status === "alive") return ok(NAME, `${place} is answered by a service that runs.`);
  } catch {
    // Whatever has the port, it is not the service.
  }
  return warning(NAME, `${place} is taken by another program.`, "Stop it, or choose another PORT.");
}
