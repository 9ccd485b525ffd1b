/**
 * What the service counts and measures, for Prometheus. No label names an instance, and none holds a secret.
 *
 * Every series exists at 0 from the start, those of each label value included: Prometheus sees no increase in a
 * counter that first appears at 1, so an alert would miss the first event.
 * @module
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { DISCONNECT_REASONS, FAULT_CODES } from "@session-manager/contract";
import { TimesHistogram } from "./times.ts";

/** Seconds; from a read in memory to a request that waits for a QR. */
const HTTP_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 30];
const DATABASE_SECONDS = [0.0005, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 15];
const QR_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

const PREFIX = "session_manager_";

/** Every metric of the service, registered. */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const counter = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    new Counter<L>({ name: PREFIX + name, help, labelNames, registers });
  const gauge = <L extends string = never>(name: string, help: string, labelNames: L[] = []) =>
    new Gauge<L>({ name: PREFIX + name, help, labelNames, registers });
  const histogram = <L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: L[] = [],
  ) => new Histogram<L>({ name: PREFIX + name, help, buckets, labelNames, registers });
  const times = <L extends string>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: L[],
    // The library's own way to observe would count where nobody looks.
  ): Pick<TimesHistogram<L>, "of"> =>
    new TimesHistogram<L>({ name: PREFIX + name, help, buckets, labelNames, registers });

  const disconnects = counter("disconnects_total", "Sessions disconnected or in error, by last_error_code.", [
    "code",
  ]);
  for (const code of [...DISCONNECT_REASONS, ...FAULT_CODES]) disconnects.inc({ code }, 0);

  return {
    registry,
    startedAt: gauge("start_time_seconds", "When this process started, in seconds since 1970."),
    sessions: gauge("sessions", "Sessions in the table, by status.", ["status"]),
    loggedOut: gauge(
      "logged_out_sessions",
      "Disconnected sessions that were logged out, and wait for a QR to be asked for.",
    ),
    supervised: gauge("supervised_sessions", "Sessions for which something is going on."),
    stalled: gauge("stalled_sessions", "Sessions with a change that waits for the database."),
    qrGenerated: counter("qr_generated_total", "QRs shown."),
    qrScanned: counter("qr_scanned_total", "QRs that a phone scanned."),
    qrExpired: counter("qr_expired_total", "QRs that nobody scanned in time."),
    timeToQr: histogram("time_to_qr_seconds", "From opening a socket to its first QR.", QR_SECONDS),
    pairings: counter("pairings_total", "Scans that WhatsApp accepted."),
    loginAttempts: counter("login_attempts_total", "Sockets opened with stored credentials."),
    disconnects,
    replicas: gauge(
      "replicas",
      "Replicas that are present, as this one sees it; 0 where there can be one alone.",
    ),
    databasePrimary: gauge(
      "database_primary",
      "1 for the node of DATABASE_URL that takes writes, as this process knows it; 0 for the others. A file is its own.",
      ["node"],
    ),
    databaseFailovers: counter("database_failovers_total", "Times that another node has taken over."),
    fencings: counter("replica_fencings_total", "Times that this replica has let go of every session."),
    pairingsOpen: gauge("pairings_open", "Pairing sockets that are open; MAX_PAIRINGS is their limit."),
    retiredLogins: gauge("retired_logins", "Logins that wait to be unlinked at WhatsApp."),
    loginUnlinks: counter("login_unlinks_total", "Attempts to unlink retired logins, by outcome.", [
      "outcome",
    ]),
    reportedLinks: counter(
      "reported_links_total",
      "Sessions that became connected because another part of the system said so.",
    ),
    loginQueue: gauge("login_queue_length", "Sessions that wait for their turn to log in."),
    workers: gauge("workers", "Socket workers at work."),
    workerRestarts: counter("worker_restarts_total", "Socket workers that were replaced."),
    workerMemory: gauge("worker_memory_bytes", "Memory of each socket worker.", ["worker"]),
    sockets: gauge("sockets", "Sockets to WhatsApp, opening or open."),
    httpRequests: counter("http_requests_total", "HTTP requests answered.", ["route", "method", "status"]),
    httpDuration: times("http_request_duration_seconds", "Time to an HTTP answer.", HTTP_SECONDS, [
      "route",
      "method",
    ]),
    databaseDuration: times("database_duration_seconds", "Time of a store operation.", DATABASE_SECONDS, [
      "operation",
    ]),
    databaseErrors: counter("database_errors_total", "Store operations that failed.", ["operation"]),
    failuresSurvived: counter(
      "failures_survived_total",
      "Failures of the database that nobody was waiting for, after which the process went on.",
    ),
    logLinesDropped: counter("log_lines_dropped_total", "Lines of the log that could not be written."),
  };
}

/** The metrics by name; `registry` writes them as Prometheus reads them. */
export type Metrics = ReturnType<typeof createMetrics>;
