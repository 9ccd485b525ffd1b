/**
 * What has to be true once everything is mended.
 * @module
 */
import type { Gateway } from "../simulator/mod.ts";
import type { Stage } from "./chaos_stage.ts";
import type { Subject } from "./chaos_subject.ts";

export interface Peace {
  /** When everything was mended, on `performance.now()`. */
  readonly since: number;
  readonly gateway: Gateway;
  readonly stage: Stage;
  readonly subjects: readonly Subject[];
  /** What the database says of each link. */
  readonly standings: ReadonlyMap<string, string>;
}

/** Everything that is not yet as it has to be, one sentence each. */
export function disagreements({ since, gateway, stage, subjects, standings }: Peace): string[] {
  const found = subjects.flatMap((subject) => {
    const what = subject.lastAskedAt < since
      ? "has not been asked after since"
      : disagreementOf(subject, standings.get(subject.instanceId) ?? "none");
    return what === null ? [] : [`${subject.instanceId} ${what}\n    ${subject.story}`];
  });
  const live = subjects.filter(({ isLive }) => isLive).length;
  const sockets = stage.service.socketLoad().reduce((sum, load) => sum + load, 0);
  const open = gateway.connections.length;
  if (open !== live) found.push(`${open} connections are open at the gateway for ${live} devices`);
  // A worker that was retired still carries sockets that are not counted here.
  if (sockets > live) found.push(`the workers carry ${sockets} sockets for ${live} devices`);
  const { supervised } = stage.service.sessions;
  if (supervised !== live) found.push(`${supervised} sessions are supervised, and ${live} have a socket`);
  return found;
}

function disagreementOf(subject: Subject, standing: string): string | null {
  const { lastView, isLive, mustReturn, isFreshlyUnlinked, toldSince } = subject;
  if (lastView === null) return "was never told of";
  const { status, qr_status: qr } = lastView;
  const said = `is ${status}/${qr} over HTTP`;
  if (status === "connecting" || qr === "generated") return `${said} and does not come to rest`;
  if (status === "connected" && !isLive && toldSince === null) return `${said}, and no device is online`;
  if (status !== "connected" && isLive) return `${said}, and a device is online`;
  if (mustReturn && !isLive) return `${said}, and its link, which nothing ended, has not come back`;
  if (standing === "working" && status !== "error" && !isLive) return `${said}, and its link works`;
  const kept = standing === "none" ? 0 : 1;
  if (subject.devices.length > kept) return `${said}, and ${subject.devices.join(", ")} are still linked`;
  if (isFreshlyUnlinked && toldSince === null && (status !== "disconnected" || qr !== "none")) {
    return `${said}, and its device was removed`;
  }
  return null;
}
