/**
 * The endpoints over HTTP, beside servers with nothing in them and reads with nothing around them.
 * @module
 */
import { Database } from "../actors/database.ts";
import { Helper } from "../actors/helper.ts";
import { HUB_KEY, qrPath, Service, sessionPath, sizeOf } from "../actors/service.ts";
import { inBatches, names } from "../lib/batches.ts";
import { load, type LoadResult } from "../lib/load.ts";
import type { Context, Part, PartResult, Target } from "../part.ts";
import { inWarmRounds, type Loaded, loadFigures, loadMeasured, medianOf } from "../rounds.ts";

/** How many QRs are asked for at the same time while the scene is set. */
const QRS_AT_ONCE = 32;

type Results = ReadonlyMap<string, readonly Loaded[]>;

export const http: Part = {
  name: "http",
  title: "HTTP: 32 connections, keep-alive, authenticated, sessions at random",
  async run(context): Promise<PartResult> {
    const reads = await measureReads(context);
    const posts = await measurePosts(context);
    const skipped = reads.has(MYSQL)
      ? []
      : ["MySQL was skipped: there is no mariadbd, and no TEST_MYSQL_URL."];
    return {
      figures: [...reads, ...posts].flatMap(([name, results]) => loadFigures(name, results)),
      targets: [
        ...compare(reads, OWNED, HONO, context.scale.ownedShare),
        ...compare(reads, SQLITE, HONO, 0.5),
        ...compare(reads, MYSQL, MYSQL2, 0.7),
        ...compare(posts, POST_QR, HONO_QR, 0.85),
      ],
      notes: skipped,
    };
  },
};

const OWNED = "GET owned";
const SQLITE = "GET from SQLite";
const MYSQL = "GET from MySQL";
const POST_QR = "POST /qr, valid";
const DENO = "bare Deno.serve";
const HONO = "bare Hono with a key";
const HONO_QR = "bare Hono with a key, answers as large";
const NODE_SQLITE = "bare node:sqlite read, no HTTP";
const MYSQL2 = "bare mysql2 read, no HTTP";

async function measureReads({ scale, say, world }: Context): Promise<Results> {
  const { gateway } = world;
  const { owned, loadSeconds: seconds } = scale;
  const rows = names("row", scale.rows);
  const logins = await world.links(owned);
  await using stack = new AsyncDisposableStack();

  const sqlite = stack.use(await Database.make("sqlite"))!;
  await sqlite.addRows(rows);
  const linked = (await sqlite.addLogins(logins, owned)).map(sessionPath);
  const service = stack.use(
    await Service.start({ database: sqlite.environment, gateway, workers: 1, place: "server" }),
  );
  await service.untilConnected(owned);
  const size = await sizeOf(service.origin, linked[0]!, "GET");
  const deno = stack.use(await Helper.start("peers_main.ts", { place: "server", args: ["deno", `${size}`] }));
  const hono = stack.use(await Helper.start("peers_main.ts", { place: "server", args: ["hono", `${size}`] }));
  const reader = stack.use(await readerOf(sqlite));
  const mysql = stack.use(await Database.make("mysql"));
  const overMysql = mysql === null ? {} : await (async () => {
    await mysql.addRows(rows);
    const other = stack.use(
      await Service.start({ database: mysql.environment, gateway, workers: 1, place: "server" }),
    );
    const otherReader = stack.use(await readerOf(mysql));
    return {
      [MYSQL]: ask(other, rows.map(sessionPath), seconds),
      [MYSQL2]: () => readBare(otherReader, rows, seconds),
    };
  })();
  say(`${owned} sessions connected, ${scale.rows} at rest; an answer has ${size} bytes`);
  return await inWarmRounds<string, Loaded>(scale.rounds, {
    [DENO]: ask(deno, rows.map(peerPath), seconds),
    [HONO]: ask(hono, rows.map(peerPath), seconds),
    [OWNED]: ask(service, linked, seconds),
    [SQLITE]: ask(service, rows.map(sessionPath), seconds),
    [NODE_SQLITE]: () => readBare(reader, rows, seconds),
    ...overMysql,
  });
}

/** In a service of its own: a QR lives for a minute, and must still be the first one when the last round ends. */
async function measurePosts({ scale, say, world: { gateway } }: Context): Promise<Results> {
  const shown = names("shown", scale.shown);
  await using sqlite = await Database.make("sqlite");
  await using service = await Service.start({
    database: sqlite!.environment,
    gateway,
    workers: 1,
    place: "server",
  });
  await inBatches(shown, QRS_AT_ONCE, (name) => service.qr(name));
  const size = await sizeOf(service.origin, qrPath(shown[0]!), "POST");
  await using hono = await Helper.start("peers_main.ts", { place: "server", args: ["hono", `${size}`] });
  say(`${shown.length} QRs shown; an answer has ${size} bytes`);
  return await inWarmRounds<string, Loaded>(scale.rounds, {
    [HONO_QR]: ask(hono, shown.map(peerPath), scale.shownSeconds, "POST"),
    [POST_QR]: ask(service, shown.map(qrPath), scale.shownSeconds, "POST"),
  });
}

function ask(
  { origin, child }: Pick<Service, "origin" | "child">,
  paths: readonly string[],
  seconds: number,
  method: "GET" | "POST" = "GET",
) {
  return () => loadMeasured(child, seconds, () => load({ origin, method, paths, key: HUB_KEY }, seconds));
}

function readBare(reader: Helper, names: readonly string[], seconds: number): Promise<Loaded> {
  return loadMeasured(reader.child, seconds, () => reader.call<LoadResult>("read", { names, seconds }));
}

function peerPath(name: string): string {
  return `/${name}`;
}

function readerOf({ dialect, environment: { DATABASE_URL: url } }: Database): Promise<Helper> {
  const args = dialect === "sqlite" ? ["sqlite", url.slice("sqlite:".length)] : ["mysql2", url];
  return Helper.start("reads_main.ts", { place: "server", args });
}

function compare(results: Results, name: string, peerName: string, atLeast: number): Target[] {
  if (!results.has(name)) return [];
  const [ours, peer] = [name, peerName].map((each) =>
    medianOf(results.get(each), ({ perSecond }) => perSecond)
  );
  return [{ name, ours: ours!, peer: peer!, peerName, unit: "/s", bound: { atLeast } }];
}
