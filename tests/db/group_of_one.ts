/**
 * A MySQL server that is a group by itself (Group Replication), and can be switched to several primaries and back while
 * it is used.
 * @module
 */
import { TestServer } from "../../lab/databases/server.ts";
import type { ServerProgram } from "../../lab/databases/server_program.ts";

const GROUP = "5e551011-0000-4000-8000-000000000001";

/** Starts one, which takes writes. */
export async function startGroupOfOne(program: ServerProgram): Promise<TestServer> {
  const local = `127.0.0.1:${freePort()}`;
  const server = await TestServer.start(program, [
    "--performance-schema=ON",
    "--server-id=1",
    "--gtid-mode=ON",
    "--enforce-gtid-consistency=ON",
    "--log-bin=bin",
    "--report-host=127.0.0.1",
    "--plugin-load-add=group_replication.so",
    `--loose-group-replication-group-name=${GROUP}`,
    `--loose-group-replication-local-address=${local}`,
    `--loose-group-replication-group-seeds=${local}`,
    "--loose-group-replication-start-on-boot=ON",
    "--loose-group-replication-bootstrap-group=ON",
  ]);
  const state = "select member_state as state from performance_schema.replication_group_members";
  const isReadOnly = "select @@global.super_read_only as flag";
  while ((await server.run(state))[0]?.["state"] !== "ONLINE");
  while (Number((await server.run(isReadOnly))[0]?.["flag"]) !== 0);
  return server;
}

/** Lets every node take writes. */
export async function toSeveralPrimaries(server: TestServer): Promise<void> {
  await server.run("select group_replication_switch_to_multi_primary_mode()");
}

/** Lets one node take writes. */
export async function toOnePrimary(server: TestServer): Promise<void> {
  await server.run("select group_replication_switch_to_single_primary_mode()");
}

/** A port of this machine that nobody has. */
export function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
