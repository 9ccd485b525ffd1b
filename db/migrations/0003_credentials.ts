// Logins and signal keys, sealed; a row without a seal is a key that was erased and waits to be purged.
import type { Migration } from "./migration.ts";

/** The table of sealed logins and signal keys. */
export const credentials: Migration = {
  name: "0003_credentials",
  purpose: "logins and signal keys, sealed",
  statements: {
    sqlite: [
      `create table if not exists ll_whatsapp_credentials (
  instance_id text not null,
  kind text not null,
  name blob not null,
  sealed blob,
  key_id text,
  primary key (instance_id, kind, name)
)`,
      `create index if not exists ll_whatsapp_credentials_erased
  on ll_whatsapp_credentials (instance_id) where sealed is null`,
    ],
    mysql: [
      `create table if not exists ll_whatsapp_credentials (
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  kind varchar(64) character set ascii collate ascii_bin not null,
  name varbinary(255) not null,
  sealed longblob null,
  key_id char(16) character set ascii collate ascii_bin null,
  primary key (instance_id, kind, name)
) engine = InnoDB default character set utf8mb4`,
    ],
  },
};
