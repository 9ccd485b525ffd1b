import assert from "node:assert/strict";
import type { SessionStatus } from "@session-manager/contract";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createMetrics } from "../../runtime/metrics.ts";
import { readMetrics, type Sources } from "../../runtime/readings.ts";

function sources(
  counts: Pick<Sources, "countByStatus" | "countLoggedOut" | "countRetiredLogins">,
): Sources {
  return {
    requests: { tell() {} },
    sessions: { supervised: 0, stalled: 0 },
    admission: { waiting: 0 },
    pairings: { taken: 4 },
    log: { dropped: 0 },
    process: { survived: 0 },
    replica: null,
    database: { nodes: ["h1:3306", "h2:3306"], primary: "h2:3306", failovers: 1 },
    workers: { running: 1, load: [0, 0], memory: [0, 0], restarts: 0 },
    ...counts,
  };
}

const REACHED = sources({
  countByStatus: () => Promise.resolve(new Map<SessionStatus, number>([["connected", 3]])),
  countLoggedOut: () => Promise.resolve(2),
  countRetiredLogins: () => Promise.resolve(5),
});

const GONE = sources({
  countByStatus: () => Promise.reject(new StoreUnavailableError()),
  countLoggedOut: () => Promise.reject(new StoreUnavailableError()),
  countRetiredLogins: () => Promise.reject(new StoreUnavailableError()),
});

function lines(text: string, name: string): string[] {
  return text.split("\n").filter((line) => line.startsWith(`session_manager_${name}`));
}

Deno.test("readMetrics() tells every status, those without a session as 0", async () => {
  const text = await readMetrics(createMetrics(), REACHED);
  assert.deepEqual(lines(text, "sessions"), [
    'session_manager_sessions{status="init"} 0',
    'session_manager_sessions{status="qr_required"} 0',
    'session_manager_sessions{status="connecting"} 0',
    'session_manager_sessions{status="connected"} 3',
    'session_manager_sessions{status="disconnected"} 0',
    'session_manager_sessions{status="error"} 0',
  ]);
  assert.deepEqual(lines(text, "logged_out_sessions"), ["session_manager_logged_out_sessions 2"]);
  assert.deepEqual(lines(text, "retired_logins"), ["session_manager_retired_logins 5"]);
  assert.deepEqual(lines(text, "pairings_open"), ["session_manager_pairings_open 4"]);
});

Deno.test("readMetrics() tells nothing of the table, rather than what was true before, when the database does not answer", async () => {
  const metrics = createMetrics();
  await readMetrics(metrics, REACHED);
  const text = await readMetrics(metrics, GONE);
  assert.deepEqual([...lines(text, "sessions"), ...lines(text, "logged_out_sessions")], []);
  assert.deepEqual(lines(text, "database_errors_total"), [
    'session_manager_database_errors_total{operation="countByStatus"} 1',
  ]);
  assert.deepEqual(lines(await readMetrics(metrics, REACHED), "logged_out_sessions"), [
    "session_manager_logged_out_sessions 2",
  ]);
});

Deno.test("readMetrics() counts the workers that are running, not the places for them", async () => {
  assert.deepEqual(lines(await readMetrics(createMetrics(), REACHED), "workers"), [
    "session_manager_workers 1",
  ]);
});
