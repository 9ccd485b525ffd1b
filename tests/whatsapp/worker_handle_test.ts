import assert from "node:assert/strict";
import fc from "fast-check";
import { systemClock } from "../../runtime/clock.ts";
import { anyMessage, GOOD, PNG, wrongMessages } from "./messages.ts";
import { Perch, TRANSFERRED } from "./perch.ts";

Deno.test("SocketWorker passes on what a socket says in its turn", async () => {
  await using perch = await Perch.open();
  const pairing = perch.socket(1, "pair");
  const login = perch.socket(2, "login");
  assert.equal(await perch.hear(GOOD.qr, GOOD.paired), false);
  assert.equal(
    await perch.hear({ ...GOOD.save, request: 2 }, GOOD.closed, { ...GOOD.gone, unlinked: true }),
    false,
  );
  assert.deepEqual(pairing.heard.map(([name]) => name), ["qr", "paired", "save", "closed"]);
  assert.deepEqual(await pairing.gone, { unlinked: true });
  assert.equal(
    await perch.hear({ ...GOOD.identified, socket: 2 }, { ...GOOD.connected, socket: 2 }),
    false,
  );
  assert.deepEqual(login.heard.map(([name]) => name), ["identified", "connected"]);
});

Deno.test("SocketWorker gives a worker up for a message that is none, and its sockets are told", async () => {
  // Each of them needs a thread of its own, so that a few stand for all; `checkReport()` is tried with every one.
  const chosen = wrongMessages();
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: chosen.length - 1 }), async (index) => {
      const { what, message } = chosen[index]!;
      await using perch = await Perch.open();
      const pairing = perch.socket(1, "pair");
      const login = perch.socket(2, "login");
      assert.equal(await perch.hear(message), true, what);
      assert.deepEqual(perch.ends.map(({ end }) => end), ["misbehaved"]);
      for (const { heard, gone } of [pairing, login]) {
        assert.deepEqual(heard, [["closed", { origin: "worker" }]], what);
        assert.deepEqual(await gone, { unlinked: false });
      }
    }),
    { numRuns: 25 },
  );
});

const OUT_OF_TURN: Readonly<Record<string, [kind: "pair" | "login" | "unlink", ...messages: unknown[]]>> = {
  "a login that shows a QR": ["login", GOOD.qr],
  "a login that is paired": ["login", GOOD.paired],
  "a pairing that is connected": ["pair", GOOD.connected],
  "a second pairing": ["pair", GOOD.paired, { ...GOOD.paired, request: 2 }],
  "keys of a login that nobody keeps": ["pair", GOOD.save],
  "keys of a login that is being unlinked": ["unlink", GOOD.load],
  "a connection of another login": [
    "login",
    GOOD.identified,
    { ...GOOD.connected, jid: "5491155550002:1@s.whatsapp.net" },
  ],
  "a second connection": ["login", GOOD.identified, GOOD.connected, GOOD.connected],
  "the same QR again": ["pair", GOOD.qr, GOOD.qr],
  "a second end": ["pair", GOOD.closed, GOOD.closed],
  "a socket that is gone without an end": ["pair", GOOD.gone],
  "a socket that is gone twice": ["pair", GOOD.closed, GOOD.gone, GOOD.gone],
  "a socket of nobody": ["pair", { ...GOOD.closed, socket: 7 }],
  "an answer to a pulse that nobody asked for": ["pair", GOOD.pulse],
  "a stop that nobody asked for": ["pair", GOOD.stopped],
  "a request that was made before": ["login", GOOD.load, GOOD.load],
  "a port": ["pair", TRANSFERRED],
};

for (const [what, [kind, ...messages]] of Object.entries(OUT_OF_TURN)) {
  Deno.test(`SocketWorker gives a worker up for ${what}`, async () => {
    await using perch = await Perch.open();
    const subject = perch.socket(1, kind);
    const other = perch.socket(2, "login");
    assert.equal(await perch.hear(...messages), true);
    assert.deepEqual(perch.ends.map(({ end }) => end), ["misbehaved"]);
    assert.deepEqual(other.heard, [["closed", { origin: "worker" }]]);
    assert.deepEqual([await subject.gone, await other.gone], [{ unlinked: false }, { unlinked: false }]);
  });
}

Deno.test("SocketWorker takes a QR that is long past for no older than a minute", async () => {
  await using perch = await Perch.open();
  const pairing = perch.socket(1, "pair");
  const before = systemClock.steady();
  await perch.hear({ ...GOOD.qr, generatedAt: 0, now: 1 });
  const after = systemClock.steady();
  const [generatedAt] = pairing.heard.map(([, , , moment]) => moment as number);
  assert.ok(generatedAt! >= before - 60_000 && generatedAt! <= after);
});

const HOUR_MS = 3_600_000;
const TOO_LATE: Readonly<Record<string, unknown>> = {
  "a QR that is still to come": { ...GOOD.qr, generatedAt: 2, now: 1 },
  "a QR of a time that has not come": { ...GOOD.qr, generatedAt: HOUR_MS, now: HOUR_MS },
  "a pulse of a time that has not come": { ...GOOD.pulse, now: HOUR_MS },
  "having heard what is still to come": { ...GOOD.pulse, now: 1, heard: [[1, 2]] },
};

for (const [what, message] of Object.entries(TOO_LATE)) {
  Deno.test(`SocketWorker gives a worker up for ${what}`, async () => {
    await using perch = await Perch.open();
    perch.socket(1, "pair");
    perch.worker.feelPulse({ hangMs: 60_000, startMs: 60_000, memoryLimitBytes: 2 ** 40 });
    assert.equal(await perch.hear(message), true);
    assert.deepEqual(perch.ends.map(({ end }) => end), ["misbehaved"]);
    assert.equal(perch.worker.heardAt(1), null);
  });
}

Deno.test("SocketWorker hears what a socket was about to say when it was closed, and tells nobody", async () => {
  await using perch = await Perch.open();
  const pairing = perch.socket(1, "pair");
  perch.say(GOOD.qr);
  await perch.hear();
  perch.worker.close(1, true);
  // On its way already, as far as the worker knows.
  assert.equal(await perch.hear(), false);
  assert.deepEqual(await pairing.gone, { unlinked: true });
  assert.deepEqual(pairing.heard.map(([name, string]) => [name, string]), [["qr", PNG]]);
});

Deno.test("SocketWorker survives every conversation, and each socket is told its end once", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyMessage, { maxLength: 12 }), async (messages) => {
      const perch = await Perch.open();
      const sockets = (["pair", "login", "unlink", "login"] as const).map((kind, i) =>
        perch.socket(i + 1, kind)
      );
      const isGivenUp = await perch.hear(...messages);
      assert.equal(perch.ends.length, isGivenUp ? 1 : 0);
      await perch[Symbol.asyncDispose]();
      for (const { heard, gone } of sockets) {
        await gone;
        const names = heard.map(([name]) => name);
        const end = names.indexOf("closed");
        if (isGivenUp) assert.notEqual(end, -1);
        if (end !== -1) assert.equal(end, names.length - 1);
      }
    }),
    { numRuns: 25 },
  );
});
