/**
 * Who may call where no key is asked for: programs of this machine. A page in a browser runs on this machine, too,
 * and reaches loopback like any program; what it cannot do is leave out the headers by which a browser tells where
 * the page comes from.
 *
 * Source: decisions, "Callers"; Fetch Metadata Request Headers, §2.3 (`Sec-Fetch-Site`); RFC 9112, §3.2.2 (a target
 * in absolute form names a host of its own).
 * @module
 */
import { type Refusal, refuse } from "./refusal.ts";

/** A loopback host, with or without a port; a trailing dot makes a name absolute and no other name. */
const LOOPBACK = /^(?:(?:localhost|127(?:\.\d{1,3}){3})\.?|\[::1\])(?::\d{1,5})?$/i;
const SCHEME = /^https?:\/\//i;

/**
 * What `Sec-Fetch-Site` says of requests that no other site has caused. Another port of loopback is `same-site`: a
 * program of this machine has served that page.
 */
const OWN_SITES = new Set([null, "none", "same-origin", "same-site"]);

/** Says why, for the developer who meets it. */
const FOREIGN = refuse(
  "FORBIDDEN",
  "Without a key the service answers programs of this machine alone, under a loopback Host, and no page of another site.",
);

/** What of a request tells where it comes from. */
export type Incoming = Pick<Request, "url" | "headers">;

/**
 * Tells whether a request comes from a program of this machine, and neither from a page of another site nor under a
 * foreign name for this address, as after DNS rebinding.
 *
 * The URL has the host of an absolute target, otherwise that of `Host`, otherwise (HTTP/1.0) the listener's own.
 */
export function isLocal({ url, headers }: Incoming): boolean {
  const host = headers.get("host");
  if (host !== null && !LOOPBACK.test(host)) return false;
  if (!LOOPBACK.test(authorityOf(url))) return false;
  const origin = headers.get("origin");
  if (origin !== null && !isLoopbackOrigin(origin)) return false;
  return OWN_SITES.has(headers.get("sec-fetch-site"));
}

/** Refuses, with 403 `FORBIDDEN`, what does not come from a program of this machine. */
export function checkLocal(incoming: Incoming): Refusal | null {
  return isLocal(incoming) ? null : FOREIGN;
}

function isLoopbackOrigin(origin: string): boolean {
  return SCHEME.test(origin) && LOOPBACK.test(origin.replace(SCHEME, ""));
}

/** Host and port as they were sent: `new URL` would accept what differs from what was tested. */
function authorityOf(url: string): string {
  const from = url.indexOf("//") + 2;
  const to = url.slice(from).search(/[/?#\\]/);
  return to < 0 ? url.slice(from) : url.slice(from, from + to);
}
