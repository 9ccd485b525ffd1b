/**
 * Tables as PHP shops make them, with rows.
 * @module
 */

import { TestServer } from "../../../lab/databases/server.ts";

/** As a Laravel migration makes it: `$table->id()`, `string`, `enum`, `timestamp`, `timestamps()`. */
export const LARAVEL = `create table ll_whatsapp_qr_sessions (
  id bigint unsigned not null auto_increment primary key,
  instance_id varchar(255) not null,
  phone_number varchar(255) null,
  status enum('init', 'qr_required', 'connecting', 'connected', 'disconnected', 'error') not null default 'init',
  qr_status enum('none', 'generated', 'expired', 'used') not null default 'none',
  qr_string text null,
  qr_generated_at timestamp null,
  qr_expires_at timestamp null,
  connected_at timestamp null,
  disconnected_at timestamp null,
  last_error_code varchar(255) null,
  last_error_message text null,
  created_at timestamp null,
  updated_at timestamp null,
  unique ll_whatsapp_qr_sessions_instance_id_unique (instance_id)
) default character set utf8mb4 collate 'utf8mb4_unicode_ci' engine = InnoDB`;

/** As somebody clicks it together, and lets the server decide about the rest. */
export const BY_HAND = `create table ll_whatsapp_qr_sessions (
  id int(11) not null,
  instance_id varchar(50) collate utf8mb4_general_ci not null comment 'sender_…, it\\'s NOT NULL',
  phone_number varchar(15) collate utf8mb4_general_ci default null,
  status enum('init','connected','disconnected') collate utf8mb4_general_ci not null default 'init',
  qr_status varchar(8) collate utf8mb4_general_ci not null,
  qr_string varchar(2048) collate utf8mb4_general_ci default null,
  qr_generated_at timestamp not null default current_timestamp on update current_timestamp,
  qr_expires_at datetime default null,
  connected_at datetime default null,
  disconnected_at datetime default null,
  last_error_code int(11) default null,
  last_error_message varchar(191) collate utf8mb4_general_ci default null,
  created_at datetime not null default current_timestamp,
  updated_at datetime not null,
  customer_id int(11) not null comment 'whose',
  remark varchar(20) not null default 'NOT NULL',
  kind enum('NOT NULL', 'n') not null,
  key phone (phone_number)
) engine = MyISAM default charset = utf8mb4 collate = utf8mb4_general_ci`;
export const BY_HAND_KEYS = `alter table ll_whatsapp_qr_sessions
  add primary key (id), add unique key uq_phone (phone_number), add key instance (instance_id)`;

/** Rows that fit into both: instants in seconds, all of them possible. */
export const ROWS = [
  "(1, 'sender_51', '+5491155550001', 'connected', 'used', null, '2026-01-04 12:34:56', '2026-01-04 12:35:56', " +
  "'2026-01-04 12:35:10', null, null, null, '2026-01-03 00:00:00', '2026-01-04 12:35:10')",
  "(2, 'Sender_52', null, 'init', 'none', null, '2026-01-04 12:34:56', null, null, null, null, null, " +
  "'2026-01-03 00:00:01', '2026-01-03 00:00:01')",
  "(7, 'sender:53', '+5491155550003', 'disconnected', 'expired', 'data:image/png;base64,AAAA', " +
  "'2026-01-04 12:34:56', '2026-01-04 12:35:56', '2026-01-04 11:00:00', '2026-01-04 12:00:00', '428', " +
  "'Conexión cerrada', '2026-01-03 00:00:02', '2026-01-04 12:00:00')",
] as const;

export const COLUMNS =
  "id, instance_id, phone_number, status, qr_status, qr_string, qr_generated_at, qr_expires_at, " +
  "connected_at, disconnected_at, last_error_code, last_error_message, created_at, updated_at";

/** The statement that inserts these rows. */
export function insertRows(rows: readonly string[], columns = COLUMNS): string {
  return `insert into ll_whatsapp_qr_sessions (${columns}) values ${rows.join(", ")}`;
}

/** The server and the name of a database. */
export function place(url: string): { server: TestServer; name: string } {
  const { pathname, host, username, password } = new URL(url);
  return { server: TestServer.at(`mysql://${username}:${password}@${host}`), name: pathname.slice(1) };
}

/** Runs a statement as an old server does, which lets everything in. */
export async function runLax(url: string, statement: string): Promise<void> {
  const { server, name } = place(url);
  await using session = await server.session(name);
  await session.run("set sql_mode = 'NO_ENGINE_SUBSTITUTION,ALLOW_INVALID_DATES', time_zone = '+00:00'");
  await session.run(statement);
}

/** The values that a row has to keep, as text; instants to the second, where that is all there was. */
export function seconds(row: Record<string, unknown>): Record<string, string | null> {
  const text = (name: string, value: unknown) =>
    value === null ? null : /_at$/.test(name) ? String(value).replace(/\.0+$/, "") : String(value);
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, text(name, value)]));
}
