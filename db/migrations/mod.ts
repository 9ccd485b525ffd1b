/**
 * Every migration, in order. A new one goes to the end.
 * @module
 */
import { sessions } from "./0001_sessions.ts";
import { links } from "./0002_links.ts";
import { credentials } from "./0003_credentials.ts";
import { replicas } from "./0004_replicas.ts";
import { retiredLogins } from "./0005_retired_logins.ts";
import { credentialKeys } from "./0006_credential_keys.ts";
import { commandResults } from "./0007_command_results.ts";
import type { Migration } from "./migration.ts";

export type { Migration } from "./migration.ts";

/** All migrations, oldest first; append-only. */
export const MIGRATIONS: readonly Migration[] = [
  sessions,
  links,
  credentials,
  replicas,
  retiredLogins,
  credentialKeys,
  commandResults,
];
