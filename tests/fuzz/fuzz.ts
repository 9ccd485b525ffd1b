/**
 * `deno task fuzz`: the front door under requests that are made up from its own OpenAPI document. Over real
 * HTTP, with a real database and real sockets behind it: no 5xx, no answer outside the document, no row touched
 * by a request that is not valid.
 *
 * `--requests 20000 --seed N`
 * @module
 */
import fc from "fast-check";
import { checkAnswer } from "../../lab/document.ts";
import { World } from "../e2e/world.ts";
import { type FuzzRequest, fuzzRequest } from "./requests.ts";

/** What a run of the fuzzer saw. */
export interface FuzzReport {
  readonly seed: number;
  readonly requests: number;
  /** How many answers had each status. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Every fault, in a sentence. */
  readonly faults: readonly string[];
}

/** Invalid requests that are under way at the same time. */
const AT_ONCE = 16;
const QR_MS = 86_400_000;
const KNOWN = ["linked", "shown", "created"];
/** Instances that good requests may create, each with a socket of its own, are kept few. */
const TABLE = "SELECT * FROM ll_whatsapp_qr_sessions ORDER BY id";

/**
 * Sends so many requests; those that are not valid first, between two readings of the table, then all kinds.
 * @param requests at least 2
 */
export async function fuzz(databaseUrl: string, requests: number, seed: number): Promise<FuzzReport> {
  await using world = await World.start({
    databaseUrl,
    environment: { RATE_LIMIT_KEY: "0", RATE_LIMIT_READ: "0", RATE_LIMIT_QR: "0", LOG_LEVEL: "silent" },
    // A QR that is shown stays as it is: its rotation would touch a row.
    policy: { qrLife: { firstMs: QR_MS, nextMs: QR_MS } },
    socketSettings: { qrMs: QR_MS },
  });
  await world.link("linked");
  await world.hub.qr("shown");
  await world.hub.qr("created");
  await world.hub.disconnected("created", "NETWORK");
  const sample = fc.sample(fuzzRequest(KNOWN), { numRuns: requests, seed });
  const invalid = sample.filter(({ isValid }) => !isValid);
  const valid = sample.filter(({ isValid, path }) => isValid && mayBeSent(path));
  const statuses = new Map<number, number>();
  const faults: string[] = [];
  const before = JSON.stringify(await world.rows(TABLE));
  await sendAll(world.origin, invalid, AT_ONCE, statuses, faults);
  if (JSON.stringify(await world.rows(TABLE)) !== before) faults.push("An invalid request touched a row.");
  // One by one: an event that ends the socket of a QR that somebody waits for is that caller's 500, rightly.
  await sendAll(world.origin, valid, 1, statuses, faults);
  return { seed, requests: invalid.length + valid.length, statuses, faults };
}

/** A QR for every instance that a fuzzer can think of would be a test of WhatsApp. */
function mayBeSent(path: string): boolean {
  return !path.endsWith("/qr") || KNOWN.some((name) => path.includes(`/${name}/`));
}

async function sendAll(
  origin: string,
  requests: readonly FuzzRequest[],
  atOnce: number,
  statuses: Map<number, number>,
  faults: string[],
): Promise<void> {
  const queue = requests.values();
  const sender = async () => {
    for (const request of queue) {
      const status = await send(origin, request).catch((error) => {
        faults.push(`${request.method} ${request.path} ${request.body?.slice(0, 200)}: ${error.message}`);
        return 0;
      });
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sender));
}

/** @throws {Error} when the answer is not one that the document has for such a request */
async function send(origin: string, { method, path, headers, body, isValid }: FuzzRequest): Promise<number> {
  const response = await fetch(`${origin}${path}`, { method, headers, body });
  const text = await response.text();
  const { status } = response;
  if (status >= 500) throw new Error(`answered ${status} ${text}`);
  if (!isValid && status < 400) throw new Error(`is not valid, and was answered ${status}`);
  if (isValid && ![200, 404, 409].includes(status)) {
    throw new Error(`is valid, and was answered ${status} ${text}`);
  }
  // An answer to HEAD has no body by its nature.
  if (method !== "HEAD") checkAnswer(method, new URL(response.url).pathname, status, JSON.parse(text));
  return status;
}

function flag(name: string, otherwise: number): number {
  const at = Deno.args.indexOf(`--${name}`);
  const value = at < 0 ? otherwise : Number(Deno.args[at + 1]);
  if (!Number.isSafeInteger(value)) throw new TypeError(`--${name} is a whole number.`);
  return value;
}

if (import.meta.main) {
  const seed = flag("seed", Date.now() % 2 ** 31);
  const folder = await Deno.makeTempDir();
  console.info(`Seed ${seed}.`);
  const report = await fuzz(`sqlite:${folder}/fuzz.db`, flag("requests", 20_000), seed);
  await Deno.remove(folder, { recursive: true });
  console.info(`${report.requests} requests.`);
  for (const [status, count] of [...report.statuses].sort(([a], [b]) => a - b)) {
    console.info(`${status}  ${count}`);
  }
  for (const fault of report.faults.slice(0, 20)) console.error(fault);
  console.info(report.faults.length === 0 ? "No fault." : `${report.faults.length} faults.`);
  Deno.exit(report.faults.length === 0 ? 0 : 1);
}
