/**
 * The use case behind the internal events: another part of the system reports a session as connected or
 * disconnected.
 *
 * Source: decisions, "Internal events".
 * @module
 */
import { SessionManagerError } from "../domain/errors.ts";
import type { SessionEvent } from "../domain/events.ts";
import { type DisconnectReason, isSessionView, type SessionView } from "@session-manager/contract";
import type { Ownership, RemoteCommand } from "./ports/ownership.ts";
import type { SessionStore } from "./ports/store.ts";
import type { SessionReader } from "./read_session.ts";
import type { SupervisorRegistry } from "./registry.ts";
import { askOwner, fromStore, retryOnOwnerChange } from "./remote_owner.ts";

/** What the internal events need. */
export interface ReportEventOptions {
  readonly registry: SupervisorRegistry;
  readonly reading: SessionReader;
  readonly ownership: Ownership;
  readonly store: Pick<SessionStore, "find">;
}

/** How long the owner of a session may take for an internal event, in milliseconds. */
const COMMAND_MS = 10_000;

/** Carries out internal events, on this replica or on the one that owns the session. */
export class ReportEvent {
  readonly #options: ReportEventOptions;

  constructor(options: ReportEventOptions) {
    this.#options = options;
  }

  /**
   * The session is connected, with this number.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  connected(instanceId: string, phoneNumber: string): Promise<SessionView> {
    return this.#report(
      instanceId,
      { type: "connected", phoneNumber, source: "internal" },
      { type: "connected", phoneNumber },
    );
  }

  /**
   * The session is disconnected, for this reason.
   * @throws {SessionManagerError} `SESSION_NOT_FOUND`, `SESSION_MANAGER_ERROR`
   */
  disconnected(instanceId: string, reason: DisconnectReason): Promise<SessionView> {
    const event = { type: "disconnected", reason } as const;
    return this.#report(instanceId, event, event);
  }

  async #report(instanceId: string, event: SessionEvent, command: RemoteCommand): Promise<SessionView> {
    const { registry, reading, ownership, store } = this.#options;
    const attempt = () =>
      registry.using(instanceId, () => store.find(instanceId), async (holder) => {
        switch (holder.kind) {
          case "missing":
            throw new SessionManagerError("SESSION_NOT_FOUND");
          case "local":
            await holder.supervisor.submit(event);
            return reading.supervised(holder.supervisor);
          case "remote": {
            const { owner } = holder;
            const answer = await askOwner(
              ownership,
              owner,
              instanceId,
              command,
              COMMAND_MS,
              "SESSION_MANAGER_ERROR",
            );
            if (answer.kind === "lost") return null;
            return isSessionView(answer.result) ? answer.result : await reading.whole(instanceId);
          }
          default:
            return holder satisfies never;
        }
      });
    return await fromStore(() => retryOnOwnerChange<SessionView>(attempt));
  }
}
