/**
 * What the events and requests of a session's sockets mean for the session.
 * @module
 */
import type { Span } from "@opentelemetry/api";
import type { KeyWrite } from "../domain/credentials.ts";
import type { SessionEvent } from "../domain/events.ts";
import type { Lease } from "../domain/leases.ts";
import { phoneNumberOf } from "../domain/phone.ts";
import { type Clock, wallTimeOf } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Logins } from "./logins.ts";
import type { SocketEvent, SocketListener, SocketRequest } from "./ports/sockets.ts";
import { type CredentialStore, CredentialsUnreadableError } from "./ports/store.ts";

/** The session that a socket belongs to. */
export interface SocketOwner {
  readonly instanceId: string;
  readonly store: CredentialStore;
  readonly logins: Logins;
  readonly clock: Clock;
  readonly log: Log;
}

/** The socket's way into the session's mailbox. Whether the socket is stale is checked when its turn comes. */
export interface ReportLine {
  readonly kind: "pairing" | "login";
  /** Takes an event whose outcome is not waited for. */
  hear(event: SessionEvent): void;
  /** Takes that the login's credentials or keys cannot be opened. */
  unreadable(error: CredentialsUnreadableError): void;
  /** Takes the socket's end. */
  end(event: SessionEvent): void;
  /** @returns resolves once the new login is durable; rejects when it is not kept */
  adopt(credentials: string, keys: readonly KeyWrite[]): Promise<void>;
  /**
   * Reads or writes the login's keys, repeated until the store answers; rejects for a stale socket.
   * @param work is given the lease by which the session is held at the time
   */
  serve<T>(work: (lease: Lease | null) => Promise<T>): Promise<T>;
}

const NOTHING: ReadonlyMap<string, string> = new Map();

/** @param span ends with the socket's first QR, its connection or its end */
export function listenTo(owner: SocketOwner, line: ReportLine, span: Span): SocketListener {
  return {
    onEvent: (event, at) => onEvent(owner, line, span, event, at),
    onRequest: (request) => onRequest(owner, line, request),
  };
}

function onEvent(
  { instanceId, logins, clock, log }: SocketOwner,
  line: ReportLine,
  span: Span,
  event: SocketEvent,
  at: number,
): void {
  switch (event.type) {
    case "qr": {
      const { string, ordinal } = event;
      span.end();
      return line.hear({ type: "qr", string, ordinal, generatedAt: wallTimeOf(clock, at) });
    }
    case "passkey_demanded":
      return line.hear({ type: "passkey_demanded" });
    case "identified": {
      const rivals = logins.use(instanceId, event.jid);
      if (rivals.length > 0) log.warn({ event: "login_shared", instance_id: instanceId, rivals });
      return;
    }
    case "connected":
      span.end();
      return line.hear({ type: "connected", phoneNumber: phoneNumberOf(event.jid), source: "socket" });
    case "closed": {
      const { cause } = event;
      span.end();
      log.info({ event: "socket_closed", instance_id: instanceId, socket: line.kind, ...cause });
      return line.end(
        line.kind === "pairing"
          ? { type: "pairing_closed", cause }
          : { type: "login_closed", cause, rival: logins.rivalOf(instanceId) },
      );
    }
    default:
      return event satisfies never;
  }
}

async function onRequest(
  { instanceId, store }: SocketOwner,
  line: ReportLine,
  request: SocketRequest,
): Promise<ReadonlyMap<string, string>> {
  switch (request.type) {
    case "paired":
      await line.adopt(request.credentials, request.keys);
      return NOTHING;
    case "load_keys":
      try {
        return await line.serve(() => store.loadKeys(instanceId, request.keyType, request.ids));
      } catch (error) {
        if (error instanceof CredentialsUnreadableError) line.unreadable(error);
        throw error;
      }
    case "save_keys":
      await line.serve((lease) => store.saveKeys(instanceId, request.keys, request.credentials, lease));
      return NOTHING;
    default:
      return request satisfies never;
  }
}
