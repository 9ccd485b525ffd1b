/**
 * What the tests of the doctor share: running it as its task does, and places for it to look at.
 * @module
 */
import assert from "node:assert/strict";
import { openStore, parseCredentialKeys } from "../../db/mod.ts";
import { createSession } from "../../domain/session.ts";
import type { Check } from "../../tools/doctor/report.ts";
import { adopt, saveNew } from "../../lab/databases/helpers.ts";
import { startGateway } from "../../lab/simulator/mod.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
interface Report {
  readonly code: number;
  readonly text: string;
  readonly checks: readonly Check[];
  readonly outcomes: Readonly<Record<string, Check["outcome"]>>;
  saw(name: string): string;
}

/** Runs it as the task does. */
export async function doctor(
  environment: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<Report> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      `--config=${root}/deno.json`,
      "-P=launcher",
      `${root}/tools/doctor.ts`,
      ...args,
    ],
    env: { ...environment, NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const checks: Check[] = args.includes("--json") ? JSON.parse(text).checks : [];
  return {
    code,
    text,
    checks,
    outcomes: Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome])),
    saw: (wanted) => {
      const check = checks.find(({ name }) => name === wanted);
      if (check === undefined) throw new Error(`No check ${wanted}:\n${text}`);
      if (check.outcome === "fault") assert.ok(check.todo, `${wanted} says what to do`);
      return check.saw;
    },
  };
}

export function closedPort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What every run needs, with WhatsApp's place taken by a port that is open. */
export async function inFolder(
  body: (folder: string, environment: Record<string, string>) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "doctor-" });
  const gateway = await startGateway();
  try {
    await body(folder, {
      PORT: String(closedPort()),
      DATABASE_URL: `sqlite:${folder}/data/test.db`,
      WHATSAPP_WS_URL: gateway.url,
    });
  } finally {
    await gateway.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

/** Every file below a folder, with its size. */
export function listing(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    return isDirectory ? [path, ...listing(path)] : [`${path} ${Deno.statSync(path).size}`];
  }).sort();
}

/** A database with one login and one signal key in it. */
export async function seal(url: string, key: string): Promise<void> {
  await using store = await openStore({ url, keys: parseCredentialKeys(key) });
  await store.findOrCreate("sender_51", 1);
  const keys = [{ type: "pre-key", id: "1", value: "SIGNAL-SECRET" }];
  await saveNew(store, createSession("sender_51", 2), adopt("LOGIN-SECRET", keys));
}
