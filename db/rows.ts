/**
 * Session ↔ row. Another system may write rows that the union forbids; reading brings any of them into it.
 *
 * Source: `contrato-tecnico`, "Entidad central"; decisions, "Transitions".
 * @module
 */
import { QR_STATUSES, type QrStatus, SESSION_STATUSES, type SessionStatus } from "@session-manager/contract";
import type {
  ExpiredQr,
  GeneratedQr,
  Instant,
  LastError,
  NoQr,
  Qr,
  Session,
  SessionFacts,
  SessionState,
  SpentQr,
  UsedQr,
} from "../domain/session.ts";
import type { Outline } from "../domain/view.ts";
import { ForeignRowError } from "../sessions/ports/store.ts";
import type { SessionTable } from "./schema.ts";

/** A row as it is read, less its `id`. */
export type SessionRow = Omit<SessionTable, "id">;
/** What an outline is made of. */
export type OutlineRow = Pick<
  SessionRow,
  "instance_id" | "status" | "qr_status" | "qr_string" | "qr_generated_at" | "qr_expires_at"
>;
/** What an update of a row sets: everything but its name. */
export type SessionColumns = Omit<SessionRow, "instance_id">;

/**
 * The columns of a session.
 * @param format how the dialect writes an instant
 */
export function columnsOf(session: Session, format: (instant: Instant) => string): SessionColumns {
  const instant = (value: Instant | null) => value === null ? null : format(value);
  const { qr } = session;
  const instants = qr.status === "none" ? { generatedAt: null, expiresAt: null } : qr;
  return {
    phone_number: session.phoneNumber,
    status: session.status,
    qr_status: qr.status,
    qr_string: qr.status === "generated" ? qr.string : null,
    qr_generated_at: instant(instants.generatedAt),
    qr_expires_at: instant(instants.expiresAt),
    connected_at: instant(session.connectedAt),
    disconnected_at: instant(session.disconnectedAt),
    last_error_code: session.lastError?.code ?? null,
    last_error_message: session.lastError?.message ?? null,
    created_at: format(session.createdAt),
    updated_at: format(session.updatedAt),
  };
}

/**
 * The session in a row. Total over everything but the two frozen names, and the identity over rows
 * that {@link columnsOf} wrote. What the union has no place for is brought into it so:
 *
 * - `init`: the QR is `none`.
 * - `qr_required`: the QR is `generated` where text and both instants are there, otherwise `expired`.
 * - `connecting`: a QR that is not `none` is `used`; there is no other way from one to the other.
 * - `connected`, `disconnected`, `error`: a `generated` QR is `expired`, since nobody may scan it.
 * - `disconnected`, `error` without a code: `UNKNOWN`. A code without a sentence: a general sentence.
 * - `init`, `qr_required`, `connected`: an error that is still there is not shown.
 * - an instant that is none (`0000-00-00`, free text): unknown; for `created_at` and `updated_at` the
 *   other one, and 1970 where neither can be read.
 *
 * @throws {ForeignRowError} when `status` or `qr_status` is not a name of the contract
 */
export function sessionOf(row: SessionRow): Session {
  const created = parseInstant(row.created_at);
  const updated = parseInstant(row.updated_at);
  const facts: SessionFacts = {
    instanceId: row.instance_id,
    phoneNumber: row.phone_number,
    connectedAt: parseInstant(row.connected_at),
    disconnectedAt: parseInstant(row.disconnected_at),
    createdAt: created ?? updated ?? 0,
    updatedAt: updated ?? created ?? 0,
  };
  return { ...facts, ...stateOf(row) };
}

/** A session, and what is wrong with its row where it is none of the contract's. */
export interface ReadSession {
  readonly session: Session;
  readonly foreign?: ForeignRowError;
}

/**
 * As {@link sessionOf}, and total: with a foreign name it is what it will be taken for once somebody acts for it.
 * Nothing is known of its connection, so it has none; everything that the row says besides is kept.
 */
export function readSession(row: SessionRow): ReadSession {
  try {
    return { session: sessionOf(row) };
  } catch (error) {
    if (!(error instanceof ForeignRowError)) throw error;
    const readable = { ...row, status: "disconnected", last_error_code: NO_RECORD.code };
    const last_error_message = "Another system had left a state that the contract does not know.";
    const qr_status = QR_STATUSES.find((name) => name === row.qr_status) ?? "none";
    return { session: sessionOf({ ...readable, qr_status, last_error_message }), foreign: error };
  }
}

/**
 * The outline of the session in a row: the same as of {@link sessionOf}.
 * @throws {ForeignRowError} as there
 */
export function outlineOf(row: OutlineRow): Outline {
  const { status, qr } = stateOf({ ...row, last_error_code: null, last_error_message: null });
  return { instanceId: row.instance_id, status, qr };
}

function stateOf(row: OutlineRow & Pick<SessionRow, "last_error_code" | "last_error_message">): SessionState {
  const status = frozenName<SessionStatus>(SESSION_STATUSES, row, "status");
  const qr = qrOf(row);
  switch (status) {
    case "init":
      return { status, qr: { status: "none" }, lastError: null };
    case "qr_required":
      return { status, qr: pairingQr(qr), lastError: null };
    case "connecting":
      return { status, qr: scannedQr(qr), lastError: lastErrorOf(row) };
    case "connected":
      return { status, qr: spentQr(qr), lastError: null };
    case "disconnected":
    case "error":
      return { status, qr: spentQr(qr), lastError: lastErrorOf(row) ?? NO_RECORD };
    default:
      return status satisfies never;
  }
}

const NO_RECORD: LastError = { code: "UNKNOWN", message: "No cause was recorded." };

function lastErrorOf(row: Pick<SessionRow, "last_error_code" | "last_error_message">): LastError | null {
  if (row.last_error_code === null && row.last_error_message === null) return null;
  return {
    code: row.last_error_code ?? NO_RECORD.code,
    message: row.last_error_message ?? NO_RECORD.message,
  };
}

function qrOf(row: OutlineRow): Qr {
  const status = frozenName<QrStatus>(QR_STATUSES, row, "qr_status");
  const generatedAt = parseInstant(row.qr_generated_at);
  const expiresAt = parseInstant(row.qr_expires_at);
  switch (status) {
    case "none":
      return { status };
    case "generated":
      return row.qr_string === null || generatedAt === null || expiresAt === null
        ? { status: "expired", generatedAt, expiresAt }
        : { status, string: row.qr_string, generatedAt, expiresAt };
    case "expired":
    case "used":
      return { status, generatedAt, expiresAt };
    default:
      return status satisfies never;
  }
}

function pairingQr(qr: Qr): GeneratedQr | ExpiredQr {
  return qr.status === "generated" ? qr : { status: "expired", ...instantsOf(qr) };
}

function scannedQr(qr: Qr): UsedQr | NoQr {
  return qr.status === "none" ? qr : { status: "used", ...instantsOf(qr) };
}

function spentQr(qr: Qr): SpentQr {
  return qr.status === "generated" ? { status: "expired", ...instantsOf(qr) } : qr;
}

function instantsOf(qr: Qr): { generatedAt: Instant | null; expiresAt: Instant | null } {
  if (qr.status === "none") return { generatedAt: null, expiresAt: null };
  return { generatedAt: qr.generatedAt, expiresAt: qr.expiresAt };
}

function frozenName<Name extends string>(
  names: readonly Name[],
  row: OutlineRow,
  column: "status" | "qr_status",
): Name {
  const name = names.find((candidate) => candidate === row[column]);
  if (name !== undefined) return name;
  throw new ForeignRowError(row.instance_id, column);
}

const INSTANT = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/;

/** Milliseconds; null for null and for what is no instant. Without a zone it is UTC. */
export function parseInstant(text: string | null): Instant | null {
  const parts = typeof text === "string" ? INSTANT.exec(text) : null;
  if (parts === null) return null;
  const [, date, time, fraction = "", zone = "Z"] = parts;
  const instant = Date.parse(`${date}T${time}${fraction.slice(0, 4)}${zone}`);
  return Number.isNaN(instant) ? null : instant;
}
