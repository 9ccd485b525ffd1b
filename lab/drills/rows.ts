/**
 * Whether rows are such as the service may leave at any instant.
 *
 * Source: `contrato-tecnico`, "Entidad central"; decisions, "Transitions".
 * @module
 */
import { parseInstant } from "../../db/rows.ts";
import { LINKS, SESSIONS } from "../../db/schema.ts";
import { INSTANCE_ID, PHONE_NUMBER, QR_STATUSES, SESSION_STATUSES } from "@session-manager/contract";

/** A row as the database gives it. */
export type Row = Readonly<Record<string, unknown>>;

/** What a service has left. */
export interface Remains {
  readonly sessions: readonly Row[];
  readonly links: readonly Row[];
  /** Which instances have the credentials of a login. */
  readonly logins: readonly Row[];
}

/** The contract's fourteen fields, and which of them are instants that may be missing. */
const FIELDS = [
  "id",
  "instance_id",
  "phone_number",
  "status",
  "qr_status",
  "qr_string",
  "qr_generated_at",
  "qr_expires_at",
  "connected_at",
  "disconnected_at",
  "last_error_code",
  "last_error_message",
  "created_at",
  "updated_at",
];
const OPTIONAL_INSTANTS = ["qr_generated_at", "qr_expires_at", "connected_at", "disconnected_at"];

/** Everything that is wrong, one sentence each. */
export function faultsOfRows({ sessions, links, logins }: Remains): string[] {
  const standings = new Map(links.map((row) => [String(row.instance_id), row.standing]));
  const withLogin = new Set(logins.map((row) => String(row.instance_id)));
  const seen = new Set<string>();
  const faults: string[] = [];
  for (const row of sessions) {
    const id = String(row.instance_id);
    const say = (what: string) => faults.push(`${SESSIONS}, ${id}: ${what}`);
    if (seen.has(id)) say("there are two rows");
    seen.add(id);
    for (const what of faultsOfSession(row)) say(what);
    const needsLink = row.status === "connecting" || row.status === "connected";
    if (needsLink && standings.get(id) !== "working") say(`is ${row.status} without a working link`);
  }
  for (const [id, standing] of standings) {
    if (standing !== "working" && standing !== "suspended") faults.push(`${LINKS}, ${id}: is ${standing}`);
    if (!withLogin.has(id)) faults.push(`${LINKS}, ${id}: there are no credentials`);
    if (!seen.has(id)) faults.push(`${LINKS}, ${id}: there is no session`);
  }
  for (const id of withLogin) {
    if (!standings.has(id)) faults.push(`${LINKS}, ${id}: there are credentials without a link`);
  }
  return faults;
}

function faultsOfSession(row: Row): string[] {
  const faults: string[] = [];
  const demand = (isMet: boolean, what: string) => void (isMet || faults.push(what));
  const isInstant = (value: unknown) => typeof value === "string" && parseInstant(value) !== null;
  demand(Object.keys(row).sort().join() === [...FIELDS].sort().join(), "other than the fourteen fields");
  demand(INSTANCE_ID.test(String(row.instance_id)), "the instance_id is none");
  demand(
    row.phone_number === null || PHONE_NUMBER.test(String(row.phone_number)),
    "the phone number is none",
  );
  demand(SESSION_STATUSES.some((name) => name === row.status), `the status is ${row.status}`);
  demand(QR_STATUSES.some((name) => name === row.qr_status), `the qr_status is ${row.qr_status}`);
  demand((row.qr_string !== null) === (row.qr_status === "generated"), "qr_string does not fit qr_status");
  demand(row.qr_status !== "generated" || row.status === "qr_required", "a QR is shown in another status");
  for (const name of OPTIONAL_INSTANTS) demand(row[name] === null || isInstant(row[name]), `${name} is none`);
  demand(isInstant(row.created_at) && isInstant(row.updated_at), "created_at or updated_at is none");
  const isConnected = row.phone_number !== null && row.connected_at !== null && row.disconnected_at === null;
  demand(row.status !== "connected" || isConnected, "is connected without its number or instant");
  const needsCause = row.status === "disconnected" || row.status === "error";
  demand(!needsCause || row.last_error_code !== null, `is ${row.status} without a cause`);
  return faults;
}
