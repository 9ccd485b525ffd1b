import assert from "node:assert/strict";
import { query } from "../../../lab/databases/helpers.ts";
import { startGateway } from "../../../lab/simulator/mod.ts";
import { type Answer, fault } from "../../../lab/hub.ts";
import { flagsFor, hubOf, readinessOf, TestProcess } from "../../../lab/process.ts";
import { programTest } from "../../../lab/programs.ts";

const CODE = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** From now on no file of this process may take another byte, or any may. */
async function limit(pid: number, size: "0" | "unlimited"): Promise<void> {
  const args = ["--pid", String(pid), `--fsize=${size}:unlimited`];
  const { success, stderr } = await new Deno.Command("prlimit", { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}

function unavailable(answer: Answer, expected: string): void {
  assert.equal(fault(answer), `500 ${expected}`);
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d*$/);
}

await programTest(
  "prlimit",
  "changes wait for room, and nothing is lost, when the disk is full, on sqlite",
  fullDisk,
);

async function fullDisk(): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await using gateway = await startGateway();
    const environment = {
      PORT: "0",
      DATABASE_URL: `sqlite:${folder}/sessions.db`,
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
      SOCKET_WORKERS: "1",
      QR_WAIT_MS: "120000",
    };
    // A full disk is an error that a program is told of; this limit would end it besides, were it not asked not to.
    await using service = new TestProcess("sh", [
      "-c",
      'trap "" XFSZ; exec "$@"',
      "service",
      Deno.execPath(),
      "run",
      "--quiet",
      `--config=${CODE}/deno.json`,
      ...flagsFor(environment),
      `${CODE}/main.ts`,
    ], environment);
    const hub = await hubOf(service);
    const phone = gateway.phone();
    assert.equal((await phone.scan((await hub.qr("linked")).qr_string)).outcome, "paired");
    await service.event("session_changed", { instance_id: "linked", status: "connected" });

    await limit(service.pid, "0");
    assert.equal(((await hub.get("linked")).body as { status: string }).status, "connected");
    unavailable(await hub.requestQr("new"), "QR_GENERATION_FAILED");
    assert.equal(await readinessOf(service), 503);
    assert.equal(fault(await hub.get("new")), "404 SESSION_NOT_FOUND");
    const before = service.lines.length;
    gateway.drop(phone);
    await service.event("socket_closed", { instance_id: "linked" }, before);
    await service.event("store_unavailable", { instance_id: "linked" });
    unavailable(await hub.get("linked"), "SESSION_MANAGER_ERROR");

    const online = gateway.when("online", { phone: phone.number });
    await limit(service.pid, "unlimited");
    await service.event("session_changed", { instance_id: "linked", status: "disconnected" }, before);
    await online;
    assert.equal(await readinessOf(service), 200);
    assert.equal((await hub.requestQr("new")).status, 200);
    assert.equal(phone.devices[0]?.logins, 2);
    assert.equal(gateway.stats.overlaps, 0);
    service.kill("SIGTERM");
    assert.equal(await service.exit(), 0);
    const rows = await query(
      environment.DATABASE_URL,
      "select s.instance_id as id, standing from ll_whatsapp_qr_sessions s left join ll_whatsapp_links l " +
        "on l.instance_id = s.instance_id order by id",
    );
    assert.deepEqual(rows.map(({ id, standing }) => `${id} ${standing}`), ["linked working", "new null"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
