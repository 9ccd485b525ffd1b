// Who acts for which session, where several replicas share one server. An embedded file has one process.
import type { Migration } from "./migration.ts";

/** Tables of presences, leases and remote commands; MySQL alone. */
export const replicas: Migration = {
  name: "0004_replicas",
  purpose: "which replicas there are, which sessions each acts for, and what they ask of each other",
  statements: {
    sqlite: [],
    mysql: [
      `create table if not exists ll_whatsapp_replicas (
  replica_id char(36) character set ascii collate ascii_bin not null,
  doubtful_at datetime(3) not null,
  expires_at datetime(3) not null,
  primary key (replica_id)
) engine = InnoDB default character set utf8mb4`,
      `create table if not exists ll_whatsapp_leases (
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  replica_id char(36) character set ascii collate ascii_bin null,
  epoch bigint unsigned not null,
  resting tinyint(1) not null,
  primary key (instance_id),
  key ll_whatsapp_leases_owner (resting, replica_id)
) engine = InnoDB default character set utf8mb4`,
      `create table if not exists ll_whatsapp_errands (
  id bigint unsigned not null auto_increment,
  replica_id char(36) character set ascii collate ascii_bin not null,
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  errand varchar(255) character set ascii collate ascii_bin not null,
  outcome varchar(64) character set ascii collate ascii_bin null,
  created_at datetime(3) not null,
  primary key (id),
  key ll_whatsapp_errands_addressee (replica_id, outcome)
) engine = InnoDB default character set utf8mb4`,
    ],
  },
};
