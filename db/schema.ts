/**
 * The tables as Kysely sees them. Instants are text here: each dialect writes them in its own way
 * (`dialect.ts`), and one parser reads both.
 * @module
 */
import type { Generated } from "kysely";

/** The contract's table: exactly the fourteen fields of `WhatsAppSession`. */
export const SESSIONS = "ll_whatsapp_qr_sessions";
/** Which instances have a login, and what it is good for. No row: none. */
export const LINKS = "ll_whatsapp_links";
/** Logins and signal keys, sealed. */
export const CREDENTIALS = "ll_whatsapp_credentials";
/** Logins that are held, or wait to be unlinked at WhatsApp, sealed. */
export const RETIRED_LOGINS = "ll_whatsapp_retired_logins";
/** The signal keys of held logins, sealed. */
export const HELD_KEYS = "ll_whatsapp_held_keys";
/** How the login of an instance came to be its login, and whether another client uses it. No row: unknown. */
export const CURRENT_LOGINS = "ll_whatsapp_current_logins";
/** Which replicas are present, and until when; MySQL alone. */
export const REPLICAS = "ll_whatsapp_replicas";
/** Which replica acts for which session, by which epoch; MySQL alone. */
export const LEASES = "ll_whatsapp_leases";
/** What replicas ask of each other; MySQL alone. */
export const COMMANDS = "ll_whatsapp_errands";
/** Which keys may have sealed something, and which of them seals; MySQL alone. */
export const CREDENTIAL_KEYS = "ll_whatsapp_credential_keys";
/** Which keys each replica has; MySQL alone. */
export const REPLICA_KEYS = "ll_whatsapp_replica_keys";
/** Which migrations have been applied. */
export const MIGRATIONS = "ll_whatsapp_migrations";

/** `kind` of the login's own credentials; every other kind is a type of signal key. */
export const LOGIN_KIND = "creds";

/** The contract's table. Source: `contrato-tecnico`, the entity `ll_whatsapp_qr_sessions`. */
export interface SessionTable {
  id: Generated<number>;
  instance_id: string;
  phone_number: string | null;
  status: string;
  qr_status: string;
  qr_string: string | null;
  qr_generated_at: string | null;
  qr_expires_at: string | null;
  connected_at: string | null;
  disconnected_at: string | null;
  last_error_code: string | null;
  last_error_message: string | null;
  created_at: string;
  updated_at: string;
}

/** A row for each instance that has a login. */
export interface LinkTable {
  instance_id: string;
  standing: string;
  created_at: string;
  updated_at: string;
}

/** A row for each part of a login, and for each of its signal keys. */
export interface CredentialTable {
  instance_id: string;
  kind: string;
  /** The key's id in UTF-8: bytes, because they are equal only when they are the same. */
  name: Uint8Array;
  /** The envelope; null marks an erased key until the row is purged. */
  sealed: Uint8Array | null;
  /** Which key sealed it; null where nothing is sealed. */
  key_id: string | null;
}

/** A row for each login that is held or waits to be unlinked. */
export interface RetiredLoginTable {
  id: string;
  instance_id: string;
  /** As in the credentials, and bound to the same place: the instance, {@link LOGIN_KIND}, no name. */
  sealed: Uint8Array;
  key_id: string | null;
  /** 1 as long as the login may still be taken up again; null once it waits to be unlinked. */
  held: number | null;
  /** How often it has been tried to unlink it. */
  attempts: number;
  /** Since when it is held, or waits; by the server's clock, or this machine's over SQLite. */
  retired_at: string;
  /** By the same clock; null while it is held. */
  next_attempt_at: string | null;
}

/** A row for each signal key of a held login. */
export interface HeldKeyTable {
  /** The `id` of the held login. */
  login_id: string;
  instance_id: string;
  kind: string;
  name: Uint8Array;
  /** As in the credentials, and bound to the same place. */
  sealed: Uint8Array;
  key_id: string | null;
}

/** A row for each login in use: how it came there, and whether another client uses it as well. */
export interface CurrentLoginTable {
  instance_id: string;
  /** By which change the login took its place, so that the same change is never carried out twice. */
  change_id: string | null;
  /**
   * The link's `updated_at` when the link was suspended because another client uses the login. With any other
   * `updated_at` it speaks of an earlier login: an older version of the service does not know this table.
   */
  contested_at: string | null;
}

/** A row for each replica that is present; MySQL alone. */
export interface ReplicaTable {
  replica_id: string;
  /** From when on its sessions are no longer shown as it left them; by the server's clock, UTC. */
  doubtful_at: string;
  /** From when on others may take them. */
  expires_at: string;
}

/** A row for each session that a replica acts for, or has acted for; MySQL alone. */
export interface LeaseTable {
  instance_id: string;
  /** Null where nobody holds it. */
  replica_id: string | null;
  epoch: number;
  /** Whether nothing is to be done for the session, so that nobody need take it. */
  resting: number;
}

/** A row for each remote command, until its sender has read the outcome; MySQL alone. */
export interface CommandTable {
  id: Generated<number>;
  replica_id: string;
  instance_id: string;
  /** The command as JSON, or a reference to `command` where it is too long; with a key of its own. */
  errand: string;
  /** The command as JSON where that is too long for `errand`; null otherwise. */
  command: string | null;
  /** `done`, or the code of an error; null as long as it is not done. */
  outcome: string | null;
  /** What came of it as JSON; null where a replica of an earlier version has done it. */
  result: string | null;
  created_at: string;
}

/** A row for each key that seals or has sealed; MySQL alone. */
export interface CredentialKeyTable {
  /** Empty for the row that is no key, and is locked by whoever decides which key seals. */
  key_id: string;
  /** 1 for the key that seals; null for those that have. */
  seals: number | null;
}

/** A row for each replica: the keys that it has; MySQL alone. */
export interface ReplicaKeyTable {
  replica_id: string;
  /** Separated by commas. */
  key_ids: string;
  /** The key with which everything is sealed that the replica has under way. */
  seals_with: string;
}

/** A row for each migration that has been applied. */
export interface MigrationTable {
  name: string;
  applied_at: string;
}

/** Every table, by name. */
export interface Tables {
  [SESSIONS]: SessionTable;
  [LINKS]: LinkTable;
  [CREDENTIALS]: CredentialTable;
  [RETIRED_LOGINS]: RetiredLoginTable;
  [HELD_KEYS]: HeldKeyTable;
  [CURRENT_LOGINS]: CurrentLoginTable;
  [REPLICAS]: ReplicaTable;
  [LEASES]: LeaseTable;
  [COMMANDS]: CommandTable;
  [CREDENTIAL_KEYS]: CredentialKeyTable;
  [REPLICA_KEYS]: ReplicaKeyTable;
  [MIGRATIONS]: MigrationTable;
}
