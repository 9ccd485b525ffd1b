import assert from "node:assert/strict";
import type { SessionView } from "@session-manager/contract";
import { mysql } from "../../../lab/databases/helpers.ts";
import { TestServer } from "../../../lab/databases/server.ts";
import { ownServerProgram } from "../../../lab/databases/server_program.ts";
import { RefusingProxy } from "../../db/refusing_proxy.ts";
import { type Start, startOn, type World, type WorldOptions } from "../../e2e/world.ts";
import { type Gateway, startGateway } from "../../../lab/simulator/mod.ts";
import { PROGRAMS_REQUIRED } from "../../../lab/programs.ts";

const program = await ownServerProgram();
const library = await fakeTime();

/** Where Debian's package `faketime` has its library, for a program of several threads. */
async function fakeTime(): Promise<string | undefined> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1 2>/dev/null || true"],
  }).output();
  const found = new TextDecoder().decode(stdout).trim().split("\n")[0];
  if (!found && PROGRAMS_REQUIRED) throw new Error("faketime is not installed.");
  return found || undefined;
}

/** Presences that do not last long, with time to close a socket on a busy machine before another takes its session. */
const BRIEF: WorldOptions["supervision"] = {
  replica: { ttlMs: 12_000, renewMs: 200, marginMs: 8_000, snapshotMs: 100, commandMs: 20 },
};

/** Presences that outlast every delay of a busy machine, but not what the clock is set by. */
const LONG: WorldOptions["supervision"] = {
  replica: { ttlMs: 240_000, renewMs: 200, marginMs: 120_000, snapshotMs: 100, commandMs: 20 },
};

interface Stage {
  readonly start: Start;
  readonly gateway: Gateway;
  readonly url: string;
  /** Sets the server's wall clock, by so many seconds beside the true time. */
  setClock(seconds: number): Promise<void>;
}

/** A test over a server of its own, whose wall clock can be set. */
function clockScenario(name: string, body: (stage: Stage) => Promise<void>): void {
  const why = program === undefined ? "no mariadbd here" : library === undefined ? "no faketime here" : "";
  Deno.test({
    name: `${name}, on mysql${why && ` (skipped: ${why})`}`,
    ignore: why !== "",
    fn: async () => {
      const folder = await Deno.makeTempDir({ prefix: "clock-" });
      const setClock = async (seconds: number) => {
        // At once or not at all: the server reads it at any moment.
        await Deno.writeTextFile(`${folder}/next`, `${seconds < 0 ? "-" : "+"}${Math.abs(seconds)}`);
        await Deno.rename(`${folder}/next`, `${folder}/offset`);
      };
      try {
        await setClock(0);
        const script = `#!/bin/sh
export LD_PRELOAD=${library} FAKETIME_TIMESTAMP_FILE=${folder}/offset FAKETIME_NO_CACHE=1
export FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1
exec ${program?.path} "$@"
`;
        await Deno.writeTextFile(`${folder}/server`, script, { mode: 0o700 });
        await using server = await TestServer.start({ kind: program!.kind, path: `${folder}/server` });
        await using gateway = await startGateway();
        await using databases = new AsyncDisposableStack();
        const database = databases.use(await (await mysql(server)).database());
        await body({ start: startOn(databases, await mysql(server)), gateway, url: database.url, setClock });
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

for (const seconds of [-90, -86_400]) {
  clockScenario(
    `what a replica had that died is taken up by another though the server's clock goes back by ${-seconds} s`,
    async ({ start, gateway, url, setClock }) => {
      const { proxy, url: through } = await RefusingProxy.before(url);
      await using _ = proxy;
      await using survivor = await start({ gateway, databaseUrl: url, supervision: BRIEF });
      await using dying = await start({ gateway, databaseUrl: through, supervision: BRIEF });
      const phone = await dying.link("sender_1");
      // To the database it is dead from here on, and takes no leave of it.
      const fenced = dying.log.next(({ event }) => event === "replica_fenced");
      proxy.refuse({ errno: 2003, of: "everything" });
      await setClock(seconds);
      await untilTold(survivor, "sender_1", ({ status }) => status !== "connected");
      await fenced;
      await untilTold(survivor, "sender_1", ({ status }) => status === "connected");
      assert.equal(survivor.service.sessions.isSupervised("sender_1"), true);
      assert.equal(phone.devices.length, 1);
      assert.equal(gateway.stats.overlaps, 0);
    },
  );
}

clockScenario(
  "nobody is dropped when the server's clock is set, forward or back, again and again",
  async ({ start, gateway, url, setClock }) => {
    await using first = await start({ gateway, databaseUrl: url, supervision: LONG });
    await using second = await start({ gateway, databaseUrl: url, supervision: LONG });
    const worlds = [first, second];
    const phones = [await first.link("a"), await second.link("b")];
    for (const { log } of worlds) log.lines.length = 0;
    const epochs = await first.rows(
      "select instance_id, replica_id, epoch from ll_whatsapp_leases order by 1",
    );
    for (const seconds of [300, 0, -300, 86_400, -86_400, 0]) {
      await setClock(seconds);
      // Each has renewed itself, and looked at the other, more than once since.
      for (let looks = 0; looks < 6; looks++) await renewal(first);
      for (const world of worlds) {
        for (const name of ["a", "b"]) await untilTold(world, name, ({ status }) => status === "connected");
      }
    }
    for (const { log } of worlds) {
      const drops = log.lines.filter(({ event }) => /fenced|socket_closed|replica_replaced/.test(event));
      assert.deepEqual(drops, []);
    }
    assert.deepEqual(
      await first.rows("select instance_id, replica_id, epoch from ll_whatsapp_leases order by 1"),
      epochs,
    );
    for (const phone of phones) assert.equal(phone.devices[0]?.logins, 1);
  },
);

async function untilTold(world: World, name: string, fits: (session: SessionView) => boolean): Promise<void> {
  for (;;) {
    const { status, body } = await world.hub.get(name);
    if (status === 200 && fits(body as SessionView)) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

/** Waits until some presence has been renewed. */
async function renewal(world: World): Promise<void> {
  const read = async () => JSON.stringify(await world.rows("select * from ll_whatsapp_replicas order by 1"));
  const before = await read();
  while (await read() === before) await new Promise((resolve) => setTimeout(resolve, 1));
}
