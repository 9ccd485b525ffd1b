import assert from "node:assert/strict";
import { generateCredentialKey } from "../../db/mod.ts";
import { query } from "../../lab/databases/helpers.ts";
import { closedPort, doctor, inFolder, listing, seal } from "./doctor_run.ts";

Deno.test("doctor finds no fault with an embedded database that is yet to be made, and makes nothing", () =>
  inFolder(async (folder, environment) => {
    const report = await doctor(environment, "--json");
    assert.equal(report.code, 0, report.text);
    assert.deepEqual(report.outcomes, {
      configuration: "ok",
      "caller keys": "warning",
      address: "ok",
      folder: "ok",
      database: "ok",
      whatsapp: "ok",
    });
    assert.deepEqual(listing(folder), []);
  }));

Deno.test("doctor opens what is sealed, says in lines what it saw, and alters nothing", () =>
  inFolder(async (folder, environment) => {
    await Deno.mkdir(`${folder}/data`);
    const key = generateCredentialKey();
    await seal(environment.DATABASE_URL!, key);
    const before = listing(folder);
    const report = await doctor({ ...environment, CREDENTIALS_KEY: key });
    assert.equal(report.code, 0, report.text);
    const lines = report.text.trim().split("\n");
    assert.ok(lines.every((line) => /^(ok|warning|fault) +[a-z ]+ [A-Z0-9/]/.test(line)), report.text);
    assert.match(report.text, /^ok +credentials +All 2 sealed entries of 1 sessions open\.$/m);
    assert.match(report.text, /^ok +tables +Up to date/m);
    assert.deepEqual(listing(folder), before);
  }));

Deno.test("doctor counts what the keys at hand do not open, and shows no secret", () =>
  inFolder(async (folder, environment) => {
    await Deno.mkdir(`${folder}/data`);
    const [key, other] = [generateCredentialKey(), generateCredentialKey()];
    await seal(environment.DATABASE_URL!, key);
    const none = await doctor(environment, "--json");
    assert.equal(none.code, 1);
    assert.match(
      none.saw("credentials"),
      /^2 of 2 sealed entries, in 1 of 1 sessions, do not open with any key/,
    );
    const wrong = await doctor({ ...environment, CREDENTIALS_KEY: other }, "--json");
    assert.equal(wrong.code, 1);
    assert.match(wrong.saw("credentials"), /^2 of 2 .* do not open with the keys at hand/);
    const rotating = await doctor({ ...environment, CREDENTIALS_KEY: `${other},${key}` }, "--json");
    assert.equal(rotating.code, 0);
    assert.equal(rotating.outcomes.credentials, "warning");
    for (const { text } of [none, wrong, rotating]) {
      for (const secret of [key, other, "LOGIN-SECRET", "SIGNAL-SECRET"]) assert.ok(!text.includes(secret));
    }
    await Deno.writeTextFile(`${folder}/data/test.db.key`, "torn");
    const torn = await doctor(environment, "--json");
    assert.match(torn.saw("credentials"), /does not hold one 32-byte key/);
  }));

Deno.test("doctor names every variable that the service would refuse, and repeats no secret", async () => {
  const report = await doctor({
    HOST: "0.0.0.0",
    PORT: "http",
    QR_WAIT_MS: "soon",
    DATABASE_URL: "postgres://user:hunter2@host/db",
  }, "--json");
  assert.equal(report.code, 1);
  const sentences = report.checks.map(({ saw }) => saw).join("\n");
  for (const name of ["HOST", "PORT", "QR_WAIT_MS", "DATABASE_URL"]) {
    assert.match(sentences, RegExp(`^${name} `, "m"));
  }
  assert.ok(report.checks.every(({ outcome, todo }) => outcome === "fault" && todo));
  assert.ok(!report.text.includes("hunter2"));

  const keyless = await doctor({ DATABASE_URL: "mysql://user:hunter2@host/db" });
  assert.equal(keyless.code, 1);
  assert.match(keyless.text, /^fault +configuration +CREDENTIALS_KEY is required with MySQL/);
  const bad = await doctor({ DATABASE_URL: "sqlite:x.db", CREDENTIALS_KEY: "secret" });
  assert.match(bad.text, /^fault +configuration +CREDENTIALS_KEY has to be 32 bytes/);
  assert.ok(!bad.text.includes("secret"));
});

Deno.test("doctor says at which step the way to WhatsApp ends", () =>
  inFolder(async (_, environment) => {
    const port = new URL(environment.WHATSAPP_WS_URL!).port;
    for (
      const [url, step] of [
        [
          `ws://127.0.0.1:${closedPort()}/ws/chat`,
          /^TCP: 127\.0\.0\.1:\d+ does not answer \(ConnectionRefused\)/,
        ],
        ["wss://whatsapp.invalid/ws/chat", /^Resolve: the name whatsapp\.invalid leads to no address/],
        [`wss://127.0.0.1:${port}/ws/chat`, /^TLS: 127\.0\.0\.1:\d+ answers at 127\.0\.0\.1, and no TLS/],
      ] as const
    ) {
      const report = await doctor({ ...environment, WHATSAPP_WS_URL: url }, "--json");
      assert.equal(report.code, 1);
      assert.match(report.saw("whatsapp"), step);
    }
  }));

Deno.test("doctor tells a port that is taken from one that the service itself answers", () =>
  inFolder(async (_, environment) => {
    const answers = [new Response("hello"), Response.json({ status: "alive" })];
    await using taken = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => answers.shift()!,
    );
    const PORT = String(taken.addr.port);
    assert.equal((await doctor({ ...environment, PORT }, "--json")).outcomes.address, "warning");
    assert.equal((await doctor({ ...environment, PORT }, "--json")).outcomes.address, "ok");
  }));

Deno.test("doctor finds a folder that cannot be written, and a file that is no database", () =>
  inFolder(async (folder, environment) => {
    await Deno.writeTextFile(`${folder}/file`, "not a folder");
    const unwritable = await doctor({ ...environment, DATABASE_URL: `sqlite:${folder}/file/x.db` }, "--json");
    assert.equal(unwritable.code, 1);
    assert.match(unwritable.saw("folder"), /cannot be written/);
    await Deno.writeTextFile(
      `${folder}/no.db`,
      "this is no database, and long enough to be looked at ".repeat(90),
    );
    const damaged = await doctor({ ...environment, DATABASE_URL: `sqlite:${folder}/no.db` }, "--json");
    assert.equal(damaged.code, 1);
    assert.match(damaged.saw("database"), /is damaged or is not a SQLite database/);
    assert.equal(damaged.outcomes["file modes"], "warning");
  }));

Deno.test("doctor opens the logins that are held as well, and looks at a database of an earlier version", () =>
  inFolder(async (_, environment) => {
    const [key, other] = [generateCredentialKey(), generateCredentialKey()];
    const url = environment.DATABASE_URL!;
    for (let n = 0; n < 2; n++) await seal(url, key); // the first login is held for the sake of the second
    const right = await doctor({ ...environment, CREDENTIALS_KEY: key }, "--json");
    assert.equal(right.saw("credentials"), "All 4 sealed entries of 1 sessions open.");
    const wrong = await doctor({ ...environment, CREDENTIALS_KEY: other }, "--json");
    assert.match(wrong.saw("credentials"), /^4 of 4 sealed entries, in 1 of 1 sessions, do not open/);
    for (const table of ["ll_whatsapp_retired_logins", "ll_whatsapp_held_keys"]) {
      await query(url, `drop table ${table}`);
    }
    await query(url, "delete from ll_whatsapp_migrations where name = '0005_retired_logins'");
    const earlier = await doctor({ ...environment, CREDENTIALS_KEY: key }, "--json");
    assert.equal(earlier.outcomes.tables, "warning");
    assert.equal(earlier.saw("credentials"), "All 2 sealed entries of 1 sessions open.");
  }));
