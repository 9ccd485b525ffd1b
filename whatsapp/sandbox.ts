/**
 * A socket worker's sandbox: what Baileys and its packages may reach.
 * @module
 */

/** What Baileys and its packages read of the environment: feature switches of theirs, no secrets. */
export const WORKER_ENVIRONMENT = [
  "WS_NO_BUFFER_UTIL",
  "WS_NO_UTF_8_VALIDATE",
  "NODE_DEBUG",
  "NODE_ENV",
  "DEBUG",
  "NODE_V8_COVERAGE",
  "WHATSAPP_RUST_BRIDGE_FORCE_NOSIMD",
] as const;

/** What Baileys and its packages ask of the system: the names by which a client introduces itself. */
export const WORKER_SYSTEM = ["hostname", "osRelease"] as const;

/**
 * A worker reaches WhatsApp's host and nothing else. No file, no program, no library, no other host, and of
 * the environment only the names above.
 * @param url WhatsApp's address
 */
export function workerPermissions(url: string): Deno.PermissionOptionsObject {
  return {
    net: [hostAndPort(url)],
    env: [...WORKER_ENVIRONMENT],
    sys: [...WORKER_SYSTEM],
    read: false,
    write: false,
    run: false,
    ffi: false,
    import: false,
  };
}

/** `web.whatsapp.com:443` for `wss://web.whatsapp.com/ws/chat`. */
export function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  return `${hostname}:${port || (protocol === "wss:" ? "443" : "80")}`;
}
