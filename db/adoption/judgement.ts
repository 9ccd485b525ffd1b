/**
 * What is said of a `ll_whatsapp_qr_sessions` that is already there.
 * @module
 */

/** Something about the table that would keep the service from its work. */
export interface Flaw {
  /** Completes "Table …: " and names the column or the rule. */
  readonly what: string;
  /** What somebody has to do first; null where altering the table mends it. */
  readonly todo: string | null;
}

/** Everything that is to be said of a table, and what mends it. */
export interface Judgement {
  readonly flaws: readonly Flaw[];
  /** What is there besides, and stays: worth knowing, no hindrance. */
  readonly notes: readonly string[];
  /** Instants that do not say of which time zone they are. */
  readonly zoneless: readonly string[];
  /** What alters the table, in this order; empty where nothing is to be altered or something is in the way. */
  readonly statements: readonly string[];
  /** What the rows have to be like for it. */
  readonly demands: RowDemands;
}

/** What a row has to be like so that the table can be altered without a change of its values. */
export interface RowDemands {
  /** Characters that a column will hold, by its name; one that is not altered is not there. */
  readonly lengths: ReadonlyMap<string, number>;
  /** Columns of text that become instants. */
  readonly textInstants: ReadonlySet<string>;
  /** Columns that hold a date without a time of day. */
  readonly dates: ReadonlySet<string>;
  /** Columns that become unique, and whose index does not see to it already. */
  readonly unique: ReadonlySet<string>;
}

/** Instants of the contract, and whether a row has to have them. */
export const INSTANTS: readonly { readonly column: string; readonly nullable: boolean }[] = [
  { column: "qr_generated_at", nullable: true },
  { column: "qr_expires_at", nullable: true },
  { column: "connected_at", nullable: true },
  { column: "disconnected_at", nullable: true },
  { column: "created_at", nullable: false },
  { column: "updated_at", nullable: false },
];

/** The fourteen fields, in the contract's order. */
export const FIELDS = [
  "id",
  "instance_id",
  "phone_number",
  "status",
  "qr_status",
  "qr_string",
  "qr_generated_at",
  "qr_expires_at",
  "connected_at",
  "disconnected_at",
  "last_error_code",
  "last_error_message",
  "created_at",
  "updated_at",
] as const;

/** The columns of the contract's table, by name. */
export const FIELD_SET: ReadonlySet<string> = new Set(FIELDS);
