/**
 * Which connections belong to which login of a session: the present one, the one that is held until the present one
 * has proved itself, and those that are being retired. A login has one connection at a time, whichever part makes it.
 * @module
 */
import type { CredentialsChange } from "../domain/credentials.ts";
import type { SessionSnapshot } from "../domain/snapshot.ts";
import type { ClosedConnection } from "./ports/sockets.ts";
import type { Retirement, Unlinker } from "./unlinker.ts";

/** The connections of one login that are not down yet. */
export class LoginConnections {
  readonly #connections = new Set<Promise<ClosedConnection>>();

  add(gone: Promise<ClosedConnection>): void {
    this.#connections.add(gone);
    void gone.then(() => this.#connections.delete(gone));
  }

  /** Resolves once all of them are down, with what WhatsApp answered to any of them. */
  async down(): Promise<ClosedConnection> {
    const closed = await Promise.all(this.#connections);
    return { unlinked: closed.some(({ unlinked }) => unlinked) };
  }
}

/** What a write is about to retire, and what has to be seen to after it. */
export interface PendingRetirement {
  /** The write has failed. */
  cancel(): void;
  /** It is written; its effects come next. */
  settle(): void;
}

const NOTHING: PendingRetirement = { cancel: () => {}, settle: () => {} };

/** The connections of one session's logins: present, held and retiring. */
export class Retirements {
  readonly #unlinker: Pick<Unlinker, "expect">;
  /** Connections of the present login. */
  present = new LoginConnections();
  /** The connection of the last pairing socket; it belongs to the login that comes of it. */
  pairing: Promise<ClosedConnection> | null = null;
  #held: { readonly id: string; readonly connections: LoginConnections } | null = null;

  constructor(unlinker: Pick<Unlinker, "expect">) {
    this.#unlinker = unlinker;
  }

  /** What this change of the credentials retires. */
  of(before: SessionSnapshot, change: CredentialsChange): PendingRetirement {
    const expected: { readonly retirement: Retirement; readonly connections: LoginConnections }[] = [];
    const expect = (id: string, connections: LoginConnections) =>
      expected.push({ retirement: this.#unlinker.expect(id), connections });
    let after = () => {};
    switch (change.kind) {
      case "keep":
      case "erase":
      case "suspend":
        return NOTHING;
      case "adopt": {
        const { retiredId } = change;
        const replaced = this.present;
        const isHeld = before.link === "working" && !before.predecessor;
        if (!isHeld && before.link !== "none") expect(retiredId, replaced);
        after = () => {
          if (isHeld) this.#held = { id: retiredId, connections: replaced };
          this.present = new LoginConnections();
          if (this.pairing !== null) this.present.add(this.pairing);
        };
        break;
      }
      case "revert":
        if (change.retiredId !== null) expect(change.retiredId, this.present);
        after = () => {
          this.present = this.#held?.connections ?? new LoginConnections();
          this.#held = null;
        };
        break;
      case "confirm":
      case "retire":
        if (this.#held !== null) expect(this.#held.id, this.#held.connections);
        if (change.kind === "retire" && before.link !== "none") expect(change.retiredId, this.present);
        after = () => this.#held = null;
        break;
      default:
        change satisfies never;
    }
    return {
      cancel: () => expected.forEach(({ retirement }) => retirement.cancel()),
      settle: () => {
        for (const { retirement, connections } of expected) retirement.retired(connections.down());
        after();
      },
    };
  }
}
