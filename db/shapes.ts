/**
 * What a table can look like: the words that both dialects describe theirs in.
 * @module
 */

/** A column, as far as adopting a table needs to know it. */
export interface ColumnShape {
  /** In lower case. */
  readonly name: string;
  /** As declared: `datetime(3)`, `varchar(64)`, `enum('a','B')`; in lower case but for the names of an ENUM. */
  readonly declared: string;
  /** `declared` without its parameters, in lower case. */
  readonly type: string;
  /** Characters it can hold; null where the type does not say. */
  readonly length: number | null;
  /** Digits of a second's fraction; null where it is no instant, or the dialect does not say. */
  readonly fraction: number | null;
  readonly charset: string | null;
  readonly collation: string | null;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
  readonly autoIncrement: boolean;
  /** Null where somebody has to write it. */
  readonly generated: "stored" | "virtual" | null;
  /** Whether the server writes the present instant into it by itself, whatever else an update changes. */
  readonly onUpdate: boolean;
  /** The text of its definition, where the dialect gives it. */
  readonly definition: string;
}

/** An index; an expression in it has no column, and a prefix the number of its characters. */
export interface IndexShape {
  readonly name: string;
  readonly unique: boolean;
  readonly parts: readonly { readonly column: string | null; readonly prefix: number | null }[];
  /** Whether it covers some of the rows alone. */
  readonly partial: boolean;
  /** Whether it is hashed, so that an ordinary index cannot take its place. */
  readonly hashed: boolean;
  /** The statement that makes it, where the dialect gives it. */
  readonly statement: string | null;
}

/** A foreign key, from this table or to it. */
export interface ForeignKeyShape {
  readonly name: string;
  /** The other table. */
  readonly table: string;
  /** The columns of this table. */
  readonly columns: readonly string[];
}

/** A trigger of the table. */
export interface TriggerShape {
  readonly name: string;
  /** Whether it runs before the write, or in its place, and so may change or refuse it. */
  readonly before: boolean;
}

/** A check constraint of the table. */
export interface CheckShape {
  /** Null where it is part of a column's definition and has no name to be dropped by. */
  readonly name: string | null;
  /** The column that it is part of. */
  readonly column: string | null;
  /** Whether its text speaks of one of these columns. */
  readonly speaksOf: (columns: Iterable<string>) => boolean;
}

/** A table as it is found in a database, whatever its dialect. */
export interface TableShape {
  readonly kind: "table" | "view" | "versioned";
  /** MySQL's storage engine; null on SQLite. */
  readonly engine: string | null;
  readonly columns: ReadonlyMap<string, ColumnShape>;
  readonly primaryKey: readonly string[];
  /** All but the primary key's. */
  readonly indexes: readonly IndexShape[];
  readonly foreignKeys: readonly ForeignKeyShape[];
  /** Foreign keys of other tables that lead here. */
  readonly referencedBy: readonly ForeignKeyShape[];
  readonly checks: readonly CheckShape[];
  readonly triggers: readonly TriggerShape[];
  /** Views that read it, as far as this account may see them. */
  readonly views: readonly string[];
  readonly partitioned: boolean;
  /** What the dialect cannot tell piece by piece, and a rebuilt table would lose; empty on MySQL. */
  readonly untold: readonly string[];
}
