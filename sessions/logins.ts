/**
 * Who uses which login. WhatsApp lets one connection use a login at a time: when two sessions share one (rows
 * that were copied, say), each would throw the other out, and neither could tell why.
 * @module
 */

/** Which sessions of this process use which login. */
export class Logins {
  /** The login of each session that has had one in this process. */
  readonly #jidOf = new Map<string, string>();
  readonly #usersOf = new Map<string, Set<string>>();

  /**
   * Notes that this session uses a login from now on.
   * @param jid the login's device, `5491155550001:12@s.whatsapp.net`
   * @returns the other sessions that use the very same login
   */
  use(instanceId: string, jid: string): string[] {
    this.release(instanceId);
    this.#jidOf.set(instanceId, jid);
    const users = this.#usersOf.get(jid) ?? new Set();
    users.add(instanceId);
    this.#usersOf.set(jid, users);
    return [...users].filter((user) => user !== instanceId);
  }

  /** Another session that uses this session's login; null when there is none. */
  rivalOf(instanceId: string): string | null {
    const users = this.#usersOf.get(this.#jidOf.get(instanceId) ?? "") ?? [];
    for (const user of users) if (user !== instanceId) return user;
    return null;
  }

  /** Whether a session of this process uses this login. */
  isUsed(jid: string): boolean {
    return this.#usersOf.has(jid);
  }

  /** Notes that this session uses no login any more. */
  release(instanceId: string): void {
    const jid = this.#jidOf.get(instanceId);
    if (jid === undefined) return;
    this.#jidOf.delete(instanceId);
    const users = this.#usersOf.get(jid);
    users?.delete(instanceId);
    if (users?.size === 0) this.#usersOf.delete(jid);
  }
}
