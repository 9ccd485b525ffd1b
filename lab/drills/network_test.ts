import assert from "node:assert/strict";
import { ownServerProgram } from "../databases/server_program.ts";
import { describeDrill } from "./network.ts";
import { Link } from "./network/link.ts";
import { runNetworkDrill } from "./network/run.ts";

const isPossible = await Link.isPossible();

async function drill(): Promise<void> {
  const result = await runNetworkDrill({
    sessions: 4,
    bounds: {
      socketSettings: { keepAliveMs: 1_000, connectMs: 5_000, silenceMs: 3_000 },
      watch: { heartbeatMs: 500 },
      policy: { backoff: { baseMs: 50, quickMs: 500, capMs: 500 } },
    },
    badMs: 0,
    isTimed: false,
    seed: 1,
    isEmbeddedToo: true,
    program: await ownServerProgram(),
  });
  assert.ok(result !== null);
  assert.deepEqual(result.faults, [], describeDrill(result));
}

if (isPossible) {
  Deno.test(
    "dead links to WhatsApp and to the database are noticed, and no login is used twice at once",
    drill,
  );
} else console.info("The drill of networks is left out: this machine makes no network namespaces.");
