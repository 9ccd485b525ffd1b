/**
 * One registry on its stage.
 * @module
 */
import assert from "node:assert/strict";
import { type Holder, SupervisorRegistry } from "../../sessions/registry.ts";
import type { Supervisor } from "../../sessions/supervisor.ts";
import { settled } from "./scripted_sockets.ts";
import { ONE, Stage } from "./stage.ts";

export class Registered extends Stage {
  readonly registry = new SupervisorRegistry(this.options);
  /** How often a session was loaded. */
  loads = 0;
  readonly load = (instanceId = ONE) => () => {
    this.loads++;
    return this.store.find(instanceId);
  };

  /** Runs `work` with whoever acts for the session. */
  using<T>(work: (holder: Holder) => T, instanceId = ONE): Promise<Awaited<T>> {
    return this.registry.using(instanceId, this.load(instanceId), work);
  }

  /** The supervisor of a session that is this replica's. */
  local(instanceId = ONE): Promise<Supervisor> {
    return this.using((holder) => {
      assert.ok(holder.kind === "local");
      return holder.supervisor;
    }, instanceId);
  }

  /** Stores so many sessions with a login, and logs them in. */
  async logIn(...instanceIds: string[]): Promise<void> {
    for (const instanceId of instanceIds) {
      this.link(instanceId, `login of ${instanceId}`);
      await this.registry.restore(instanceId, this.load(instanceId));
      await settled();
      await this.letIn(this.sockets.last("login"), `${instanceId}@s.whatsapp.net`);
    }
  }

  /** What was given back: the session, and whether it is at rest. */
  get released() {
    return this.ownership.released.map(({ lease, rest }) => [lease?.instanceId, rest]);
  }
}
