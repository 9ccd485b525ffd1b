/**
 * What a session's sockets report, as events of the session.
 * @module
 */
import type { Span } from "@opentelemetry/api";
import type { SessionEvent } from "../domain/events.ts";
import { phoneNumberOf } from "../domain/phone.ts";
import type { KeyWrite } from "../domain/credentials.ts";
import { type CredentialStore, CredentialsUnreadableError } from "./ports/store.ts";
import type { Lease } from "../domain/leases.ts";
import { type Clock, wallTimeOf } from "../runtime/clock.ts";
import type { Log } from "../runtime/log.ts";
import type { Logins } from "./logins.ts";
import type { SocketListener } from "./ports/sockets.ts";

/** The session that a socket reports to. */
export interface ReportTarget {
  readonly instanceId: string;
  readonly store: CredentialStore;
  readonly logins: Logins;
  readonly clock: Clock;
  readonly log: Log;
}

/** The socket's way into the session's mailbox. Whether it is stale is judged when its turn comes. */
export interface ReportLine {
  readonly kind: "pairing" | "login";
  /** Takes an event that nobody waits for. */
  hear(event: SessionEvent): void;
  /** Takes that something of the login does not open. */
  unreadable(error: CredentialsUnreadableError): void;
  /** Takes the socket's end. */
  end(event: SessionEvent): void;
  /** @returns resolves once the new login is durable; rejects when it is not kept */
  adopt(credentials: string, keys: readonly KeyWrite[]): Promise<void>;
  /**
   * Serves the login's keys, again and again until the store answers; rejects for a stale socket.
   * @param work is given the lease by which the session is held at the time
   */
  serve<T>(work: (lease: Lease | null) => Promise<T>): Promise<T>;
}

/** @param span ends with the socket's first report */
export function listenTo(target: ReportTarget, line: ReportLine, span: Span): SocketListener {
  const { instanceId, store, logins, clock, log } = target;
  return {
    qr: (string, ordinal, generatedAt) => {
      span.end();
      line.hear({ type: "qr", string, ordinal, generatedAt: wallTimeOf(clock, generatedAt) });
    },
    paired: (credentials, keys) => line.adopt(credentials, keys),
    passkeyDemanded: () => line.hear({ type: "passkey_demanded" }),
    connected: (jid) => {
      span.end();
      line.hear({ type: "connected", phoneNumber: phoneNumberOf(jid), source: "socket" });
    },
    identified: (jid) => {
      const rivals = logins.use(instanceId, jid);
      if (rivals.length > 0) log.warn({ event: "login_shared", instance_id: instanceId, rivals });
    },
    closed: (cause) => {
      span.end();
      log.info({ event: "socket_closed", instance_id: instanceId, socket: line.kind, ...cause });
      line.end(
        line.kind === "pairing"
          ? { type: "pairing_closed", cause }
          : { type: "login_closed", cause, rival: logins.rivalOf(instanceId) },
      );
    },
    load: (keyType, ids) =>
      line.serve(() => store.loadKeys(instanceId, keyType, ids)).catch((error) => {
        if (error instanceof CredentialsUnreadableError) line.unreadable(error);
        throw error;
      }),
    save: (keys, credentials) => line.serve((lease) => store.saveKeys(instanceId, keys, credentials, lease)),
  };
}
