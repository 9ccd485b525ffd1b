// Which instances have a login and what it is good for; no row means none.
import type { Migration } from "./migration.ts";

/** The table of links: which instances have a login, and whether it may be used. */
export const links: Migration = {
  name: "0002_links",
  purpose: "which instances have a login, and whether it may be used",
  statements: {
    sqlite: [
      `create table if not exists ll_whatsapp_links (
  instance_id text not null primary key,
  standing text not null check (standing in ('working', 'suspended')),
  created_at text not null,
  updated_at text not null
)`,
    ],
    mysql: [
      `create table if not exists ll_whatsapp_links (
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  standing enum('working', 'suspended') character set ascii collate ascii_bin not null,
  created_at datetime(3) not null,
  updated_at datetime(3) not null,
  primary key (instance_id)
) engine = InnoDB default character set utf8mb4`,
    ],
  },
};
