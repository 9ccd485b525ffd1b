import assert from "node:assert/strict";
import { QrAnswer, SessionAnswer } from "../../routes/contract/schemas.ts";
import type { SessionStatus } from "@session-manager/contract";
import { fault } from "../../lab/hub.ts";
import { scenarios } from "./scenarios.ts";
import { scenario, type World } from "./world.ts";

/** The statuses that a session goes through from now on, each once in a row. */
function watch(world: World, instanceId: string): SessionStatus[] {
  const seen: SessionStatus[] = [];
  world.service.sessions.onChange(({ after: { session } }) => {
    if (session.instanceId === instanceId && seen.at(-1) !== session.status) seen.push(session.status);
  });
  return seen;
}

scenarios("linking a number", {}, {
  "POST qr creates an unknown instance and shows a QR that GET shows too": async (world) => {
    assert.equal(fault(await world.hub.get("sender_51")), "404 SESSION_NOT_FOUND");

    const asked = Date.now();
    const answer = await world.hub.requestQr("sender_51");
    const answered = Date.now();
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("cache-control"), "no-store");
    assert.match(answer.headers.get("content-type") ?? "", /^application\/json/);
    const qr = QrAnswer.parse(answer.body);

    const session = SessionAnswer.parse((await world.hub.get("sender_51")).body);
    assert.deepEqual(session, {
      instance_id: "sender_51",
      status: "qr_required",
      qr_status: "generated",
      qr_string: qr.qr_string,
      qr_expires_at: qr.qr_expires_at,
    });
    // It was generated between the question and the answer; instants are told in whole seconds, rounded down.
    const generated = Date.parse(qr.qr_expires_at) - 60_000;
    assert.ok(generated > asked - 1_000 && generated <= answered, "the first QR lives 60 s");
  },

  "POST qr returns a valid QR byte for byte when it is asked again": async (world) => {
    const first = await world.hub.qr("again");
    assert.deepEqual(await world.hub.qr("again"), first);
    assert.equal(world.gateway.stats.registrations, 1);
  },

  "a scan takes the session over connecting to connected, and 515 is never disconnected": async (world) => {
    const seen = watch(world, "pair");
    const phone = await world.link("pair", world.gateway.phone("+5491155550001"));
    assert.deepEqual(seen, ["init", "qr_required", "connecting", "connected"]);
    assert.equal(phone.devices.length, 1);
    assert.deepEqual(await world.hub.session("pair"), {
      instance_id: "pair",
      status: "connected",
      qr_status: "used",
      qr_string: null,
      qr_expires_at: (await world.hub.session("pair")).qr_expires_at,
    });
    assert.equal(fault(await world.hub.requestQr("pair")), "409 SESSION_ALREADY_CONNECTED");
    assert.equal(world.gateway.stats.overlaps, 0);
  },

  "POST qr answers 409 when the session is connecting": async (world) => {
    world.gateway.faults.add({ do: "no-success", kind: "login", times: 1 });
    const { qr_string } = await world.hub.qr("slow");
    const connecting = world.untilStatus("slow", "connecting");
    await world.gateway.phone().scan(qr_string);
    assert.equal((await connecting).qr_status, "used");
    assert.equal(fault(await world.hub.requestQr("slow")), "409 SESSION_ALREADY_CONNECTED");
  },

  "a session unlinked on the phone is disconnected without QR, and can be linked again": async (world) => {
    const phone = await world.link("unlinked");
    await phone.unlink();
    const gone = await world.untilStatus("unlinked", "disconnected");
    assert.deepEqual(gone, {
      instance_id: "unlinked",
      status: "disconnected",
      qr_status: "none",
      qr_string: null,
      qr_expires_at: null,
    });
    await world.link("unlinked", phone);
    assert.equal(phone.devices.length, 1);
  },

  "fifty callers at once on a new instance get one QR from one socket": async (world) => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => world.hub.qr("crowd")));
    assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
    assert.equal(world.gateway.stats.registrations, 1);
    assert.equal(world.gateway.stats.connectionsOpened, 1);
  },
});

scenario("fifty instances at once get fifty QRs", async (start) => {
  await using world = await start({ environment: { SOCKET_WORKERS: "2" } });
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => world.hub.qr(`sender_${i}`)));
  assert.equal(new Set(answers.map(({ qr_string }) => qr_string)).size, 50);
  assert.deepEqual(world.service.socketLoad(), [25, 25]);
  const phone = world.gateway.phone();
  assert.equal((await phone.scan(answers[49]?.qr_string ?? "")).outcome, "paired");
  await world.untilStatus("sender_49", "connected");
  assert.equal((await world.hub.session("sender_0")).status, "qr_required");
});
