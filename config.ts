/**
 * The only reader of the environment. Every value is checked before anything starts; a bad one stops
 * the start with one sentence that names its variable.
 *
 * Source: decisions, "Configuration (environment)".
 * @module
 */
import { z } from "zod";

/** Every variable that the service reads, and nothing else is let through to it. */
export const CONFIG_VARIABLES = [
  "HOST",
  "PORT",
  "DATABASE_URL",
  "HUB_API_KEY",
  "INTERNAL_API_KEY",
  "CREDENTIALS_KEY",
  "WHATSAPP_WS_URL",
  "WHATSAPP_ROOT_KEY",
  "WHATSAPP_VERSION",
  "QR_WAIT_MS",
  "SOCKET_WORKERS",
  "MAX_PAIRINGS",
  "RATE_LIMIT_KEY",
  "RATE_LIMIT_READ",
  "RATE_LIMIT_QR",
  "LOG_LEVEL",
] as const;

/** The service's configuration, checked and frozen. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** `sqlite:<path>` or `mysql://…`. */
  readonly databaseUrl: string;
  /** Keys that the Hub may present; none means that none is asked for. */
  readonly hubKeys: readonly string[];
  /** Keys that internal callers may present. */
  readonly internalKeys: readonly string[];
  /** `new,old`, each 32 bytes in base64; null with SQLite, where a key file stands in. */
  readonly credentialsKey: string | null;
  readonly whatsappUrl: string;
  /** Hex; what WhatsApp's certificates are checked against. Null for WhatsApp's own. */
  readonly whatsappRootKey: string | null;
  readonly whatsappVersion: readonly [number, number, number] | null;
  /** Milliseconds. */
  readonly qrWaitMs: number;
  readonly socketWorkers: number;
  /** Pairing sockets open in one process, at most. */
  readonly maxPairings: number;
  /** Requests at most; 0 for no limit. */
  readonly rateLimits: {
    /** A second, for each key. */
    readonly key: number;
    /** A second, for each instance: reading its state. */
    readonly read: number;
    /** A minute, for each instance: asking for its QR. */
    readonly qr: number;
  };
  readonly logLevel: "debug" | "info" | "warn" | "error" | "silent";
}

/** A variable has a value that the service cannot work with. The message never repeats a secret. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

const keys = z.string().transform((text, context) => {
  const list = text.split(",").map((key) => key.trim());
  if (list.some((key) => key.length < 16)) {
    context.addIssue("has to hold keys of at least 16 characters, separated by commas");
    return z.NEVER;
  }
  return list;
}).default([]);

const whole = (low: number, high: number) => {
  const sentence = `has to be a whole number from ${low} to ${high}`;
  return z.string().regex(/^\d{1,15}$/, sentence).transform(Number).pipe(
    z.number().min(low, sentence).max(high, sentence),
  );
};

const DATABASE = "has to be sqlite:<path> or mysql://user:password@host:port/database";
const PERCENT_ENCODED =
  "in the user and the password, write # as %23, / as %2F, ? as %3F, @ as %40 and % as %25";
const SOCKET_ADDRESS = "has to be a ws:// or wss:// address";
const VERSION = "has to be three numbers separated by dots, such as 2.3000.1043857760";

const shape = {
  HOST: z.string().regex(/^[A-Za-z0-9.:-]+$/, "has to be a host name or an address").default("127.0.0.1"),
  PORT: whole(0, 65_535).default(8080),
  DATABASE_URL: z.string().superRefine((text, context) => {
    const fault = databaseUrlFault(text);
    if (fault !== null) context.addIssue(fault);
  }).default("sqlite:data/session-manager.db"),
  HUB_API_KEY: keys,
  INTERNAL_API_KEY: keys,
  CREDENTIALS_KEY: z.string().refine(
    areCredentialKeys,
    "has to be 32 bytes in base64, or several such keys separated by commas, the newest first",
  ).nullable().default(null),
  WHATSAPP_WS_URL: z.string().refine((text) => /^wss?:$/.test(protocolOf(text)), SOCKET_ADDRESS).default(
    "wss://web.whatsapp.com/ws/chat",
  ),
  WHATSAPP_ROOT_KEY: z.string().regex(/^[0-9a-f]{64}$/i, "has to be 32 bytes in hex").nullable().default(
    null,
  ),
  WHATSAPP_VERSION: z.string().regex(/^\d{1,9}\.\d{1,9}\.\d{1,12}$/, VERSION).transform((text) =>
    text.split(".").map(Number) as [number, number, number]
  ).nullable().default(null),
  QR_WAIT_MS: whole(1, 600_000).default(20_000),
  MAX_PAIRINGS: whole(1, 10_000).default(100),
  RATE_LIMIT_KEY: whole(0, 1_000_000).default(500),
  RATE_LIMIT_READ: whole(0, 1_000_000).default(50),
  RATE_LIMIT_QR: whole(0, 1_000_000).default(120),
  LOG_LEVEL: z.enum(["debug", "info", "warn", "error", "silent"], {
    error: "has to be one of debug, info, warn, error, silent",
  }).default("info"),
};

/**
 * Reads and checks the configuration.
 * @param environment the variables by name; an empty value counts as absent
 * @param cores how many the machine has
 * @throws {ConfigError} one sentence that names the variable
 */
export function parseConfig(
  environment: Readonly<Record<string, string | undefined>>,
  cores: number,
): Config {
  const given = Object.fromEntries(
    CONFIG_VARIABLES.map((name) => [name, environment[name]?.trim() || undefined]),
  );
  const schema = z.object({
    ...shape,
    SOCKET_WORKERS: whole(1, 64).default(Math.max(1, cores - 1)),
  });
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ConfigError(`${String(issue?.path[0])} ${issue?.message}.`);
  }
  const values = parsed.data;
  if (values.DATABASE_URL.startsWith("mysql:") && values.CREDENTIALS_KEY === null) {
    throw new ConfigError(
      "CREDENTIALS_KEY is required with MySQL: set it to 32 random bytes in base64 (`openssl rand -base64 32`).",
    );
  }
  const unlocked = (["HUB_API_KEY", "INTERNAL_API_KEY"] as const).filter((name) => values[name].length === 0);
  if (unlocked.length > 0 && !isLoopback(values.HOST)) {
    throw new ConfigError(
      `HOST ${values.HOST} can be reached from elsewhere: set ${
        unlocked.join(" and ")
      } first, or use 127.0.0.1.`,
    );
  }
  return Object.freeze({
    host: values.HOST,
    port: values.PORT,
    databaseUrl: values.DATABASE_URL,
    hubKeys: values.HUB_API_KEY,
    internalKeys: values.INTERNAL_API_KEY,
    credentialsKey: values.CREDENTIALS_KEY,
    whatsappUrl: values.WHATSAPP_WS_URL,
    whatsappRootKey: values.WHATSAPP_ROOT_KEY?.toLowerCase() ?? null,
    whatsappVersion: values.WHATSAPP_VERSION,
    qrWaitMs: values.QR_WAIT_MS,
    socketWorkers: values.SOCKET_WORKERS,
    maxPairings: values.MAX_PAIRINGS,
    rateLimits: Object.freeze({
      key: values.RATE_LIMIT_KEY,
      read: values.RATE_LIMIT_READ,
      qr: values.RATE_LIMIT_QR,
    }),
    logLevel: values.LOG_LEVEL,
  });
}

/** Whether only this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Every node but the first of a cluster's; a comma of the password's is in front of an @. */
const OTHER_NODES = /^(mysql:\/\/(?:[^/?#]*@)?[^/?#@,]*),[^/?#@]*(?=[/?]|$)/;

/** The scheme with its colon, or nothing when the text is no URL. */
function protocolOf(text: string): string {
  return URL.canParse(text) ? new URL(text).protocol : "";
}

/**
 * What is wrong with the form of a database URL; null when nothing is. A character of the password that ends a part of
 * a URL leaves a URL of another form behind, or none.
 */
function databaseUrlFault(text: string): string | null {
  if (text.startsWith("sqlite:")) return text.length > "sqlite:".length ? null : DATABASE;
  if (!text.startsWith("mysql://")) return DATABASE;
  if (text.includes("#")) return `has a #, which ends a URL: ${PERCENT_ENCODED}`;
  const url = URL.parse(text.replace(OTHER_NODES, "$1"));
  const isWhole = url !== null && /^\/[^/@]+$/.test(url.pathname) && !url.search.includes("@") &&
    canDecode(url.username) && canDecode(url.password);
  return isWhole ? null : `has to be mysql://user:password@host:port/database: ${PERCENT_ENCODED}`;
}

function canDecode(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function areCredentialKeys(text: string): boolean {
  return text.split(",").every((key) => /^[A-Za-z0-9+/]{43}=$/.test(key.trim()));
}
