/**
 * The service as a process that starts over some database: with what it is configured, and how it ends.
 * @module
 */
import assert from "node:assert/strict";
import { generateCredentialKey } from "../../../db/mod.ts";
import { type Environment, flagsFor, TestProcess } from "../../../lab/process.ts";

/** A configuration for this database, and for a WhatsApp that is not there. */
export function environmentFor(databaseUrl: string): Environment {
  return {
    PORT: "0",
    DATABASE_URL: databaseUrl,
    WHATSAPP_WS_URL: "ws://127.0.0.1:1/ws/chat", // nobody logs in here
    SOCKET_WORKERS: "1",
    ...(databaseUrl.startsWith("mysql:") ? { CREDENTIALS_KEY: generateCredentialKey() } : {}),
  };
}

/** The service, with other pauses between its attempts to reach the database, in milliseconds. */
export function processWithPauses(environment: Environment, pausesMs: readonly number[]): TestProcess {
  const path = "tests/faults/store/main_with_pauses.ts";
  return TestProcess.script(path, flagsFor(environment), environment, [JSON.stringify(pausesMs)]);
}

/** Runs the service to an end that it comes to by itself: its exit code and its one sentence. */
export async function failure(process: TestProcess): Promise<{ code: number; sentence: string }> {
  await using ending = process;
  const code = await ending.exit();
  // Statements that somebody else may run follow it, where that is what helps.
  assert.match(ending.stderr, /^[^\n]+(\.\n|:\n[^]*;\n)$/, "one sentence is expected");
  return { code, sentence: ending.stderr.trim().split("\n")[0]! };
}

/** Ends the service properly. */
export async function stopped(process: TestProcess): Promise<void> {
  process.kill("SIGTERM");
  assert.equal(await process.exit(), 0, process.stderr);
}
