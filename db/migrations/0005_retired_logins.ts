// Logins that are no session's any more, or not yet: each is kept, sealed, until it has been unlinked at WhatsApp.
import type { Migration } from "./migration.ts";

// `held` is 1 or null, so that its unique index allows one held login an instance and any number that wait.
/** Tables of logins that are held, replaced or given up. */
export const retiredLogins: Migration = {
  name: "0005_retired_logins",
  purpose: "logins that were replaced or given up, until they are unlinked at WhatsApp",
  statements: {
    sqlite: [
      `create table if not exists ll_whatsapp_retired_logins (
  id text not null primary key,
  instance_id text not null,
  sealed blob not null,
  key_id text,
  held integer check (held = 1),
  attempts integer not null,
  retired_at text not null,
  next_attempt_at text
)`,
      `create unique index if not exists ll_whatsapp_retired_logins_held
  on ll_whatsapp_retired_logins (instance_id, held)`,
      `create index if not exists ll_whatsapp_retired_logins_due
  on ll_whatsapp_retired_logins (next_attempt_at)`,
      `create table if not exists ll_whatsapp_held_keys (
  login_id text not null,
  instance_id text not null,
  kind text not null,
  name blob not null,
  sealed blob not null,
  key_id text,
  primary key (login_id, kind, name)
)`,
      `create table if not exists ll_whatsapp_current_logins (
  instance_id text not null primary key,
  change_id text,
  contested_at text
)`,
    ],
    mysql: [
      `create table if not exists ll_whatsapp_retired_logins (
  id char(36) character set ascii collate ascii_bin not null,
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  sealed longblob not null,
  key_id char(16) character set ascii collate ascii_bin null,
  held tinyint(1) null,
  attempts int unsigned not null,
  retired_at datetime(3) not null,
  next_attempt_at datetime(3) null,
  primary key (id),
  unique key ll_whatsapp_retired_logins_held (instance_id, held),
  key ll_whatsapp_retired_logins_due (next_attempt_at)
) engine = InnoDB default character set utf8mb4`,
      `create table if not exists ll_whatsapp_held_keys (
  login_id char(36) character set ascii collate ascii_bin not null,
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  kind varchar(64) character set ascii collate ascii_bin not null,
  name varbinary(255) not null,
  sealed longblob not null,
  key_id char(16) character set ascii collate ascii_bin null,
  primary key (login_id, kind, name)
) engine = InnoDB default character set utf8mb4`,
      `create table if not exists ll_whatsapp_current_logins (
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  change_id varchar(64) character set ascii collate ascii_bin null,
  contested_at datetime(3) null,
  primary key (instance_id)
) engine = InnoDB default character set utf8mb4`,
    ],
  },
};
