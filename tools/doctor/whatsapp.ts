/**
 * The way to WhatsApp, step by step: the name, TCP, TLS. The first step that fails is named.
 * @module
 */
import { hostAndPort } from "../../whatsapp/sandbox.ts";
import { type Check, fault, ok } from "./report.ts";

const NAME = "whatsapp";
/** How long one step may take, in milliseconds. */
const STEP_MS = 5_000;

/** Connects as a socket worker does, and hangs up. */
export async function checkWhatsapp(url: string): Promise<Check> {
  const place = hostAndPort(url);
  const { protocol, hostname } = new URL(url);
  const target = {
    hostname: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: Number(place.slice(place.lastIndexOf(":") + 1)),
  };
  let address: string;
  try {
    const connection = await within(Deno.connect(target));
    address = connection.remoteAddr.hostname;
    connection.close();
  } catch (error) {
    return refused(place, target.hostname, error);
  }
  if (protocol !== "wss:") return ok(NAME, `${place} answers at ${address}; without TLS.`);
  try {
    const connection = await within(Deno.connectTls(target));
    try {
      await within(connection.handshake());
    } finally {
      connection.close();
    }
    return ok(NAME, `${place} answers at ${address}; its TLS certificate holds.`);
  } catch (error) {
    return fault(
      NAME,
      `TLS: ${place} answers at ${address}, and no TLS connection comes about (${reason(error)}).`,
      "Look for a proxy that breaks TLS open, and whether this machine's clock is right.",
    );
  }
}

/** The runtime has no class of its own for a name that leads nowhere. */
const UNRESOLVED = /lookup address|resolve|name or service|nodename/i;

function refused(place: string, hostname: string, error: unknown): Check {
  if (error instanceof Error && error.name === "Error" && UNRESOLVED.test(error.message)) {
    return fault(
      NAME,
      `Resolve: the name ${hostname} leads to no address.`,
      "Check this machine's DNS, and the host in WHATSAPP_WS_URL.",
    );
  }
  return fault(
    NAME,
    `TCP: ${place} does not answer (${reason(error)}).`,
    "Let outgoing connections to it through the firewall, or mend WHATSAPP_WS_URL.",
  );
}

function reason(error: unknown): string {
  return error instanceof Error ? error.name : "unknown";
}

function within<T>(work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Deno.errors.TimedOut()), STEP_MS);
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
