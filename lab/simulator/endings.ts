/**
 * How the server ends a connection.
 * @module
 */

/**
 * How a connection is dropped: `terminate` cuts the TCP connection, `close` is a proper WebSocket close,
 * `xmlstreamend` says `<xmlstreamend/>` and then closes.
 */
export type DropStyle = "terminate" | "close" | "xmlstreamend";

/** A stream error: its code, and the child element that says more. */
export interface StreamErrorSpec {
  readonly code?: number | string;
  /** Tag of the child, such as `conflict`. */
  readonly child?: string;
  /** Attributes of the child, such as `{ type: "replaced" }`. */
  readonly attrs?: Readonly<Record<string, string>>;
}
