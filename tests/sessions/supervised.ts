/**
 * One supervisor on its stage.
 * @module
 */
import { atRest, type Policy } from "../../domain/snapshot.ts";
import type { Lease } from "../../domain/leases.ts";
import { Supervisor } from "../../sessions/supervisor.ts";
import { settled } from "./scripted_sockets.ts";
import { leaseOf, ONE, Stage } from "./stage.ts";

export class Supervised extends Stage {
  readonly instanceId: string;
  readonly supervisor: Supervisor;
  /** What the supervisor has told its registry. */
  readonly told: ("idle" | "fenced" | "missing" | "unopened" | "broken")[] = [];

  /** @param found the session as the supervisor finds it; the stage's own where it is not given */
  constructor(
    found: "linked" | "new",
    options: { policy?: Policy; concurrent?: number; lease?: Lease | null } = {},
  ) {
    super(options);
    this.instanceId = ONE;
    if (found === "linked") this.link();
    else this.create();
    this.supervisor = this.supervise(this.instanceId);
  }

  /** Another supervisor beside it, of a session that is stored. */
  supervise(instanceId: string): Supervisor {
    const { session, link, held } = this.store.row(instanceId);
    return new Supervisor(
      atRest(session, link, held !== null),
      {
        ...this.options,
        onIdle: () => void this.told.push("idle"),
        onFenced: () => void this.told.push("fenced"),
        onMissing: () => void this.told.push("missing"),
        onUnopened: () => void this.told.push("unopened"),
        onBroken: () => void this.told.push("broken"),
      },
      leaseOf(this, instanceId),
    );
  }

  /** The session as it is visible. */
  get session() {
    return this.supervisor.snapshot.session;
  }

  /** What is visible, as `status/qr_status`. */
  get shown(): string {
    return `${this.session.status}/${this.session.qr.status}`;
  }

  /** Logs the stored login in. @returns its socket */
  async logIn() {
    await this.supervisor.resume();
    await settled();
    const socket = this.sockets.last("login");
    await this.letIn(socket);
    return socket;
  }

  /** Has a QR shown. @returns the socket that shows it */
  async showQr() {
    await this.supervisor.submit({ type: "qr_requested" });
    const socket = this.sockets.last("pair");
    await this.show(socket);
    return socket;
  }

  /** Sockets at work: not closed by the product; those that have ended by themselves count as well. */
  get open() {
    return this.sockets.opened.filter(({ closed }) => closed === null);
  }
}
