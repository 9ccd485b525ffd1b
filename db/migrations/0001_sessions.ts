// The contract's table: exactly the fourteen fields of WhatsAppSession, one row an instance.
import type { Migration } from "./migration.ts";

/** The contract's table. Source: `contrato-tecnico`, the entity `ll_whatsapp_qr_sessions`. */
export const sessions: Migration = {
  name: "0001_sessions",
  purpose: "the contract's table ll_whatsapp_qr_sessions",
  statements: {
    sqlite: [
      `create table if not exists ll_whatsapp_qr_sessions (
  id integer primary key autoincrement,
  instance_id text not null unique,
  phone_number text,
  status text not null,
  qr_status text not null,
  qr_string text,
  qr_generated_at text,
  qr_expires_at text,
  connected_at text,
  disconnected_at text,
  last_error_code text,
  last_error_message text,
  created_at text not null,
  updated_at text not null
)`,
    ],
    mysql: [
      `create table if not exists ll_whatsapp_qr_sessions (
  id bigint not null auto_increment,
  instance_id varchar(64) character set ascii collate ascii_bin not null,
  phone_number varchar(32) null,
  status varchar(16) character set ascii collate ascii_bin not null,
  qr_status varchar(16) character set ascii collate ascii_bin not null,
  qr_string mediumtext null,
  qr_generated_at datetime(3) null,
  qr_expires_at datetime(3) null,
  connected_at datetime(3) null,
  disconnected_at datetime(3) null,
  last_error_code varchar(64) null,
  last_error_message varchar(1024) null,
  created_at datetime(3) not null,
  updated_at datetime(3) not null,
  primary key (id),
  unique key ll_whatsapp_qr_sessions_instance_id (instance_id)
) engine = InnoDB default character set utf8mb4`,
    ],
  },
};
