import assert from "node:assert/strict";
import fc from "fast-check";
import { judge } from "../../domain/disconnect.ts";
import { deniesDevice } from "../../whatsapp/worker/cause.ts";
import type { FaultRule } from "../../lab/simulator/mod.ts";
import { type Opened, type Vault, Workshop } from "./workshop.ts";

/** Short enough for a test that waits for them, long enough for a login on a busy machine. */
const QUICK = { settings: { unlinkMs: { attempt: 3_000, closing: 1_000 } } };

const unlink = (workshop: Workshop, { credentials }: Vault) =>
  workshop.openSocket({ kind: "unlink", credentials });

async function logIn(workshop: Workshop, vault: Vault): Promise<Opened> {
  const login = workshop.openSocket({ kind: "login", credentials: vault.credentials }, vault);
  await login.connected;
  return login;
}

Deno.test("a socket that is opened to unlink removes its device, and says that WhatsApp has confirmed it", async () => {
  await using workshop = await Workshop.open({ gateway: { newDevicePreKeys: 0 } });
  const { gateway } = workshop;
  const vault = await workshop.pair();
  const kept = { credentials: vault.credentials, keys: [...vault.keys] };
  const opened = unlink(workshop, vault);
  assert.equal((await opened.closed).origin, "whatsapp");
  assert.deepEqual(await opened.gone, { unlinked: true });
  assert.deepEqual(opened.told, ["identified", "closed"]);
  assert.deepEqual({ credentials: vault.credentials, keys: [...vault.keys] }, kept);
  assert.equal(gateway.devices()[0]?.removed, true);
  const { logouts, preKeysUploaded } = gateway.stats;
  assert.deepEqual({ logouts, preKeysUploaded }, { logouts: 1, preKeysUploaded: 0 });
});

Deno.test("a device that WhatsApp does not know, or has removed meanwhile, counts as unlinked", async () => {
  await using workshop = await Workshop.open(QUICK);
  const { gateway } = workshop;
  const phone = gateway.phone();
  const vault = await workshop.pair(phone);
  gateway.faults.add({ do: "no-iq", xmlns: "md" });
  const overtaken = unlink(workshop, vault);
  await gateway.when("login");
  await phone.unlink();
  assert.deepEqual(await overtaken.closed, {
    origin: "whatsapp",
    code: 401,
    tag: "conflict",
    kind: "device_removed",
  });
  assert.deepEqual(await overtaken.gone, { unlinked: true });

  const unknown = unlink(workshop, vault);
  assert.deepEqual(await unknown.closed, { origin: "whatsapp", code: 401 });
  assert.deepEqual(await unknown.gone, { unlinked: true });
});

const UNCONFIRMED: Readonly<Record<string, [FaultRule, unknown]>> = {
  "WhatsApp is not available": [{ do: "failure", code: 503 }, { origin: "whatsapp", code: 503 }],
  "WhatsApp forbids the account": [{ do: "failure", code: 403 }, { origin: "whatsapp", code: 403 }],
  "WhatsApp never lets it in": [{ do: "no-success" }, { origin: "client", code: 408 }],
  "WhatsApp does not answer the request": [{ do: "no-iq", xmlns: "md" }, { origin: "client", code: 408 }],
  "WhatsApp refuses the request": [
    { do: "refuse-iq", xmlns: "md", code: 500 },
    { origin: "client", code: 0 },
  ],
  "the upgrade is refused": [{ do: "http-status", status: 401 }, { origin: "network", status: 401 }],
};

for (const [what, [fault, cause]] of Object.entries(UNCONFIRMED)) {
  Deno.test(`a device does not count as unlinked when ${what}`, async () => {
    await using workshop = await Workshop.open(QUICK);
    const { gateway } = workshop;
    const vault = await workshop.pair();
    gateway.faults.add(fault);
    const opened = unlink(workshop, vault);
    assert.deepEqual(await opened.closed, cause);
    assert.deepEqual(await opened.gone, { unlinked: false });
    assert.deepEqual(opened.told, ["identified", "closed"]);
    assert.equal(gateway.devices()[0]?.removed, false);
  });
}

Deno.test("a login without a device, or none at all, cannot be unlinked", async () => {
  await using workshop = await Workshop.open();
  for (const credentials of ["{}", "no JSON"]) {
    const opened = workshop.openSocket({ kind: "unlink", credentials });
    assert.deepEqual(await opened.closed, { origin: "client", code: 0 });
    assert.deepEqual(await opened.gone, { unlinked: false });
  }
});

Deno.test("close() waits until WhatsApp has confirmed that the device is unlinked", async () => {
  await using workshop = await Workshop.open();
  const { gateway } = workshop;
  const login = await logIn(workshop, await workshop.pair());
  login.socket.close({ unlink: true });
  assert.deepEqual(await login.gone, { unlinked: true });
  assert.equal(gateway.devices()[0]?.removed, true);
  assert.ok(!login.told.includes("closed"));
});

Deno.test("close() unlinks a socket that is about to log in", async () => {
  await using workshop = await Workshop.open();
  const { gateway } = workshop;
  const vault = await workshop.pair();
  gateway.faults.add({ do: "delay", stage: "success", ms: 200 });
  const handshake = gateway.when("handshake");
  const login = workshop.openSocket({ kind: "login", credentials: vault.credentials }, vault);
  await handshake;
  login.socket.close({ unlink: true });
  assert.deepEqual(await login.gone, { unlinked: true });
  assert.equal(gateway.devices()[0]?.removed, true);
});

Deno.test("close() does not wait for an answer for ever, and says when the device may still be linked", async () => {
  await using workshop = await Workshop.open(QUICK);
  const { gateway } = workshop;
  const [silent, kept] = [await workshop.pair(), await workshop.pair()];
  const unanswered = await logIn(workshop, silent);
  gateway.faults.add({ do: "no-iq", xmlns: "md" });
  unanswered.socket.close({ unlink: true });
  assert.deepEqual(await unanswered.gone, { unlinked: false });
  const plain = await logIn(workshop, kept);
  plain.socket.close({ unlink: false });
  assert.deepEqual(await plain.gone, { unlinked: false });
  assert.deepEqual(gateway.devices().map(({ removed }) => removed), [false, false]);
});

Deno.test("a login that its phone has unlinked says so when it is gone", async () => {
  await using workshop = await Workshop.open();
  const phone = workshop.gateway.phone();
  const login = await logIn(workshop, await workshop.pair(phone));
  await phone.unlink();
  await login.closed;
  assert.deepEqual(await login.gone, { unlinked: true });
});

Deno.test("deniesDevice() is true of exactly the ends that the table of ends takes for a logout", () => {
  const kind = fc.constantFrom("replaced", "device_removed", "unheard_of", undefined);
  const code = fc.constantFrom(401, 403, 440, 500, 515);
  fc.assert(fc.property(code, kind, fc.boolean(), (code, kind, isConflict) => {
    const tag = isConflict ? "conflict" : "other";
    const attrs: Record<string, string> = kind === undefined ? {} : { type: kind };
    const content = [{ tag, attrs }];
    const said = deniesDevice({ tag: "stream:error", attrs: { code: String(code) }, content });
    const cause = { origin: "whatsapp" as const, code, tag, ...(kind === undefined ? {} : { kind }) };
    assert.equal(said, judge(cause).kind === "logged_out");
    const refused = deniesDevice({ tag: "failure", attrs: { reason: String(code) } });
    assert.equal(refused, judge({ origin: "whatsapp", code }).kind === "logged_out");
  }));
});
