/**
 * `deno task demo`: the service, as it is, against a WhatsApp server on this machine. A number is linked,
 * lost, unlinked and linked again; every answer is a real one over HTTP.
 * @module
 */
import QRCode from "qrcode";
import { parseConfig } from "../config.ts";
import { reactionTo } from "@session-manager/contract";
import type { SessionView } from "@session-manager/contract";
import { permissionFlags } from "../permissions.ts";
import { startGateway } from "../lab/simulator/mod.ts";
import { readQrImage } from "../lab/simulator/qr.ts";
import { cacheCommand, startCommand } from "./start.ts";

const INSTANCE = "sender_51";
/** How often a Hub would look, in milliseconds. */
const LOOK_MS = 100;
/** How long the demonstration waits for a state before it gives up, in milliseconds. */
const PATIENCE_MS = 30_000;

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

function say(text: string): void {
  console.info(`\n\x1b[1m${text}\x1b[0m`);
}

/** An answer in one line, the picture cut short. */
function show(call: string, status: number, body: unknown): void {
  const text = JSON.stringify(
    body,
    (key, value) => key === "qr_string" && value !== null ? `${String(value).slice(0, 34)}…` : value,
  );
  console.info(`  ${call}\n    ${status} ${text}`);
}

class Client {
  readonly #base: string;

  constructor(port: number) {
    this.#base = `http://127.0.0.1:${port}/api/session-manager`;
  }

  async call<T>(method: string, path: string, quiet = false): Promise<T> {
    const response = await fetch(`${this.#base}${path}`, { method });
    const body = await response.json();
    if (!quiet) show(`${method} ${path}`, response.status, body);
    return body;
  }

  session(quiet = false): Promise<SessionView> {
    return this.call("GET", `/sessions/${INSTANCE}`, quiet);
  }

  requestQr(): Promise<{ qr_string: string }> {
    return this.call("POST", `/sessions/${INSTANCE}/qr`);
  }

  /** Looks again and again, as a Hub does, and shows each new state; ends with the one that is wanted. */
  async follow(wanted: SessionView["status"]): Promise<void> {
    let last = "";
    for (const end = performance.now() + PATIENCE_MS; performance.now() < end;) {
      const session = await this.session(true);
      const state = `${session.status} / ${session.qr_status}`;
      if (state !== last) {
        show(`GET /sessions/${INSTANCE}`, 200, session);
        console.info(`    → ${reactionTo(session.status)}`);
      }
      last = state;
      if (session.status === wanted) return;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    throw new Error(`The session did not become ${wanted} in time.`);
  }
}

/** Starts the service as `deno task start` does, on a free port and a database of its own. */
async function startService(environment: Record<string, string>): Promise<Deno.ChildProcess> {
  const flags = permissionFlags(parseConfig(environment, navigator.hardwareConcurrency), root);
  await new Deno.Command(Deno.execPath(), { args: cacheCommand(root), stdin: "null" }).output();
  const service = new Deno.Command(Deno.execPath(), {
    args: startCommand(root, flags),
    env: environment,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  await listening(service);
  return service;
}

/** Resolves once the service says in its log that it listens. */
async function listening(service: Deno.ChildProcess): Promise<void> {
  const started = Promise.withResolvers<void>();
  const drain = async () => {
    let seen = "";
    for await (const chunk of service.stdout.pipeThrough(new TextDecoderStream())) {
      seen = (seen + chunk).slice(-4_096);
      if (seen.includes('"event":"listening"')) started.resolve();
    }
    started.reject(new Error("The service ended before it listened."));
  };
  drain().catch(started.reject);
  await started.promise;
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return listener.addr.port;
}

async function play(client: Client, gateway: Awaited<ReturnType<typeof startGateway>>): Promise<void> {
  const phone = gateway.phone("+5491155550001");

  say("Nobody knows the instance yet");
  await client.session();

  say("The Hub asks for a QR; on a slow network the session is init until it comes");
  const slow = gateway.faults.add({ do: "delay", stage: "pairing", ms: 800, times: 1 });
  const asked = client.requestQr();
  await gateway.when("handshake");
  await client.session();
  const { qr_string } = await asked;
  slow.remove();
  console.info(await QRCode.toString(readQrImage(qr_string), { type: "utf8", errorCorrectionLevel: "L" }));
  await client.session();

  say(`A phone, ${phone.number}, scans the picture`);
  const [{ outcome }] = await Promise.all([phone.scan(qr_string), client.follow("connected")]);
  console.info(`    the phone says: ${outcome}`);
  await client.requestQr();

  say("WhatsApp goes down; the link comes back by itself when it is up again");
  await gateway.goDown();
  await client.follow("disconnected");
  await gateway.comeBack();
  await client.follow("connected");

  say("The phone's owner unlinks the device");
  await phone.unlink();
  await client.follow("disconnected");

  say("The Hub asks for a new QR, and the phone links again");
  const again = await client.requestQr();
  await Promise.all([phone.scan(again.qr_string), client.follow("connected")]);
}

async function demonstrate(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "session-manager-demo-" });
  const gateway = await startGateway();
  const port = freePort();
  const service = await startService({
    PORT: String(port),
    DATABASE_URL: `sqlite:${folder}/demo.db`,
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
  });
  try {
    console.info(`The service listens on http://127.0.0.1:${port}; WhatsApp is played by ${gateway.url}.`);
    await play(new Client(port), gateway);
  } finally {
    service.kill("SIGTERM");
    const { code } = await service.status;
    say(`The service has stopped with exit code ${code}.`);
    await gateway.stop();
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  await demonstrate();
  Deno.exit(0);
}
