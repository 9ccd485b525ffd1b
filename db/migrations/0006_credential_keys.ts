// Which key seals, and which keys each replica has. An embedded file has one process, whose first key seals.
import type { Migration } from "./migration.ts";

// `seals` is 1 or null, so that its unique index allows one key that seals and any number that have. The row without a
// name is no key: whoever decides which key seals locks it, and it is there before the first key.
/** Tables of the keys that seal; MySQL alone. */
export const credentialKeys: Migration = {
  name: "0006_credential_keys",
  purpose: "which key seals logins, and which keys each replica can open them with",
  statements: {
    sqlite: [],
    mysql: [
      `create table if not exists ll_whatsapp_credential_keys (
  key_id char(16) character set ascii collate ascii_bin not null,
  seals tinyint(1) null,
  primary key (key_id),
  unique key ll_whatsapp_credential_keys_seals (seals)
) engine = InnoDB default character set utf8mb4`,
      `create table if not exists ll_whatsapp_replica_keys (
  replica_id char(36) character set ascii collate ascii_bin not null,
  key_ids text character set ascii collate ascii_bin not null,
  seals_with char(16) character set ascii collate ascii_bin not null,
  primary key (replica_id)
) engine = InnoDB default character set utf8mb4`,
      `insert into ll_whatsapp_credential_keys (key_id, seals) values ('', null)
  on duplicate key update seals = seals`,
    ],
  },
};
