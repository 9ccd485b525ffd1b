/**
 * The databases under the product, filled without the product: rows as they are at rest, and logins that were
 * paired elsewhere.
 * @module
 */
import { generateCredentialKey, openStore, parseCredentialKeys, type Store } from "../../../db/mod.ts";
import type { Instant, Session, SessionFacts } from "../../../domain/session.ts";
import { breakGround, type DialectName } from "../../drills/ground.ts";
import { readLogins, type StoredLogin } from "./logins.ts";

/** How many rows are written at the same time. */
const AT_ONCE = 10;

export class Database implements AsyncDisposable {
  readonly dialect: DialectName;
  /** What the service has to be told of it. */
  readonly environment: Readonly<Record<"DATABASE_URL" | "CREDENTIALS_KEY", string>>;
  readonly #dispose: () => PromiseLike<void>;

  private constructor(dialect: DialectName, url: string, key: string, dispose: () => PromiseLike<void>) {
    this.dialect = dialect;
    this.environment = { DATABASE_URL: url, CREDENTIALS_KEY: key };
    this.#dispose = dispose;
  }

  /** A new, empty one; null where the machine has no server for it. */
  static async make(dialect: DialectName): Promise<Database | null> {
    const ground = await breakGround(dialect);
    if (ground === null) return null;
    const { DATABASE_URL = "", CREDENTIALS_KEY = generateCredentialKey() } = ground.environment;
    return new Database(dialect, DATABASE_URL, CREDENTIALS_KEY, () => ground[Symbol.asyncDispose]());
  }

  /** Writes sessions without a login: unlinked on the phone, a while ago. */
  async addRows(instanceIds: readonly string[]): Promise<void> {
    await this.#fill(instanceIds, (store, instanceId) => store.save(unlinked(instanceId), { kind: "keep" }));
  }

  /** Writes linked sessions, with the first logins of a file. @returns their names */
  async addLogins(file: string, count: number): Promise<string[]> {
    const named: { name: string; login: StoredLogin }[] = [];
    for await (const login of readLogins(file, count)) {
      named.push({ name: `linked-${named.length + 1}`, login });
    }
    await this.#fill(
      named,
      (store, { name, login: { jid, credentials, keys } }) =>
        store.save(linked(name, jid), { kind: "adopt", credentials, keys, retiredId: crypto.randomUUID() }),
    );
    return named.map(({ name }) => name);
  }

  async #fill<T>(items: readonly T[], write: (store: Store, item: T) => Promise<void>): Promise<void> {
    const { DATABASE_URL: url, CREDENTIALS_KEY: key } = this.environment;
    await using store = await openStore({ url, keys: parseCredentialKeys(key) });
    const queue = items.values();
    const work = async () => {
      for (const item of queue) await write(store, item);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#dispose();
  }
}

function unlinked(instanceId: string): Session {
  const now = Date.now();
  return {
    ...factsOf(instanceId, "+5491155550001", now),
    disconnectedAt: now,
    status: "disconnected",
    qr: { status: "none" },
    lastError: { code: "LOGOUT", message: "The phone has unlinked this device." },
  };
}

function linked(instanceId: string, jid: string): Session {
  const now = Date.now();
  return {
    ...factsOf(instanceId, `+${jid.replace(/[:@].*/, "")}`, now),
    status: "connected",
    qr: { status: "used", generatedAt: now, expiresAt: now },
    lastError: null,
  };
}

function factsOf(instanceId: string, phoneNumber: string, now: Instant): SessionFacts {
  return {
    instanceId,
    phoneNumber,
    connectedAt: now,
    disconnectedAt: null,
    createdAt: now,
    updatedAt: now,
  };
}
