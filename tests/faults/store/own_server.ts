/**
 * Scenarios that need a database server of their own, to kill, to silence and to crowd.
 * @module
 */
import { mysql } from "../../../lab/databases/helpers.ts";
import { TestServer } from "../../../lab/databases/server.ts";
import { ownServerProgram, whatIsMissing } from "../../../lab/databases/server_program.ts";
import { type Start, startOn, type WorldOptions } from "../../e2e/world.ts";

const program = await ownServerProgram();

/** For pairings that wait for the database: the client's patience outlasts a busy machine that restarts it. */
export const PATIENT: WorldOptions = { socketSettings: { connectMs: 240_000 } };

/** Starts a server for the scenarios of one file; undefined where there is no program to start. */
export async function ownServer(): Promise<TestServer | undefined> {
  return program === undefined ? undefined : await TestServer.start(program);
}

/** A test over this file's own server, which runs again for the next test whatever became of this one. */
export function faultScenario(
  server: TestServer | undefined,
  name: string,
  body: (start: Start, server: TestServer) => Promise<void>,
): void {
  Deno.test({
    name: `${name}, on mysql${server === undefined ? ` (skipped: ${whatIsMissing()})` : ""}`,
    ignore: server === undefined,
    sanitizeOps: true,
    sanitizeResources: true,
    fn: async () => {
      await using databases = new AsyncDisposableStack();
      try {
        await body(startOn(databases, await mysql(server)), server!);
      } finally {
        if (server!.running) server!.resume();
        else await server!.restart();
      }
    },
  });
}
