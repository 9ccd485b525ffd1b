import assert from "node:assert/strict";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession } from "../../domain/session.ts";
import { DatabaseUnusableError, type Store } from "../../db/mod.ts";
import { connect } from "../../db/database.ts";
import { migrateDatabase } from "../../db/migrate.ts";
import { SqlStore } from "../../db/store.ts";
import { PROGRAMS_REQUIRED } from "../../lab/programs.ts";
import { HoldingProxy } from "./holding_proxy.ts";
import { adopt, KEYS, open, openCounted, query, saveNew } from "../../lab/databases/helpers.ts";
import { countDeadlocks, TestServer, type TestSession, untilLockWait } from "../../lab/databases/server.ts";
import { ownServerProgram, whatIsMissing } from "../../lab/databases/server_program.ts";

const program = await ownServerProgram();

/** Declares a test with a server of its own, which it may kill. */
function serverTest(name: string, body: (server: TestServer) => Promise<void>, options: string[] = []): void {
  Deno.test({
    name: `mysql: ${name}${program === undefined ? ` (skipped: ${whatIsMissing()})` : ""}`,
    ignore: program === undefined,
    fn: async () => {
      await using server = await TestServer.start(program!, options);
      await body(server);
    },
  });
}

/** Many calls at once, so that the pool opens all its connections. */
async function fillPool(store: Store): Promise<void> {
  await Promise.all(Array.from({ length: 10 }, (_, n) => store.findOrCreate(`s${n}`, 1)));
}

serverTest(
  "the store works or is unavailable, and nothing else, when the server is killed",
  async (server) => {
    const { url } = await server.database();
    await using store = await open(url);
    await fillPool(store);
    await server.kill9();
    for (let n = 0; n < 3; n++) await assert.rejects(store.find("s0"), StoreUnavailableError);
    await assert.rejects(store.save(createSession("s0", 1), { kind: "erase" }), StoreUnavailableError);
    await assert.rejects(store.ping(), StoreUnavailableError);
    await assert.rejects(open(url), StoreUnavailableError);
    await server.restart();
    await store.ping();
    assert.equal((await store.find("s9"))?.session.createdAt, 1);

    await fillPool(store);
    await server.kill9();
    await server.restart();
    // Every connection of the pool is dead, and the store does not know it yet.
    await store.save(createSession("s0", 2), adopt("login"));
    await fillPool(store);
    assert.equal(await store.loadCredentials("s0"), "login");

    // Killed in the middle of many writes: each is either done or unavailable.
    const writes = Array.from(
      { length: 40 },
      (_, n) => store.saveKeys("s0", [{ type: "a", id: `${n}`, value: "v" }]),
    );
    const killed = server.kill9();
    const results = await Promise.allSettled(writes);
    await killed;
    for (const result of results) {
      if (result.status === "rejected") {
        assert.ok(result.reason instanceof StoreUnavailableError, result.reason);
      }
    }
    await server.restart();
    const done = results.flatMap((result, n) => result.status === "fulfilled" ? [`${n}`] : []);
    assert.equal((await store.loadKeys("s0", "a", done)).size, done.length); // what was answered is durable
  },
);

serverTest("the store sees nothing of it when the server closes idle connections", async (server) => {
  const { url, name } = await server.database();
  await using store = await open(url);
  await fillPool(store);
  for (
    const { id } of await server.run(`select id from information_schema.processlist where db = '${name}'`)
  ) {
    await server.run(`kill ${id}`);
  }
  assert.equal((await store.find("s0"))?.session.createdAt, 1);
  await fillPool(store);
});

serverTest("the store is unavailable when the server falls silent, and works afterwards", async (server) => {
  const { url } = await server.database();
  const database = await connect(url);
  await migrateDatabase(database);
  await using store = new SqlStore(database, KEYS);
  await fillPool(store);
  await server.pause();
  const answers = await Promise.allSettled([
    store.find("s0"), // prepared
    store.loadKeys("never prepared", "session", ["1", "2"]),
    store.save(createSession("s0", 2), { kind: "erase" }),
  ]);
  // What nobody waits for is given up for no other reason.
  const recovery = answers.map((answer) => {
    assert.ok(answer.status === "rejected" && answer.reason instanceof StoreUnavailableError);
    return answer.reason.recovery;
  }).at(-1);
  assert.notEqual(recovery, null);
  await assert.rejects(store.find("s0"), StoreUnavailableError); // and now it is known
  server.resume();
  await recovery;
  assert.equal((await store.find("s0"))?.session.createdAt, 1); // no answer meant for another statement
  await fillPool(store);
});

serverTest("save() succeeds when it is the victim of a deadlock", async (server) => {
  const { url, name } = await server.database();
  await using store = await open(url);
  const session = createSession("s", 1);
  await saveNew(store, session, adopt("login"));
  await server.run("create table weight (a int) engine = InnoDB", name);
  await using other = await server.session(name);
  // The server rolls back whoever has changed less: that is the store.
  await other.run(
    `begin; insert into weight values ${Array.from({ length: 500 }, (_, n) => `(${n})`).join()}`,
  );
  await other.run("select * from ll_whatsapp_links where instance_id = 's' for update");
  const before = await countDeadlocks(server);
  const saved = store.save({ ...session, phoneNumber: "+1234567" }, { kind: "suspend", contested: false });
  await untilLockWait(server);
  await other.run("update ll_whatsapp_qr_sessions set phone_number = '+7654321' where instance_id = 's'");
  await other.run("commit");
  await saved;
  assert.equal(await countDeadlocks(server), before + 1);
  assert.equal((await store.find("s"))?.session.phoneNumber, "+1234567");
  assert.equal((await store.find("s"))?.link, "suspended");
});

serverTest(
  "the store is unavailable when there are too many connections, and works afterwards",
  async (server) => {
    const { url } = await server.database();
    await using store = await open(url);
    const sessions: TestSession[] = [];
    try {
      for (;;) sessions.push(await server.session());
    } catch (error) {
      assert.equal((error as { errno?: number }).errno, 1040);
    }
    await assert.rejects(open(url), StoreUnavailableError);
    assert.equal(await store.find("s"), null); // over the connection that it has
    const results = await Promise.allSettled(Array.from({ length: 20 }, () => store.find("s")));
    for (const result of results) {
      if (result.status === "rejected") {
        assert.ok(
          result.reason instanceof StoreUnavailableError,
          result.reason,
        );
      }
    }
    for (const session of sessions) await session[Symbol.asyncDispose]();
    await fillPool(store);
  },
  ["--max-connections=12"],
);

serverTest("saveKeys() is one round trip and no transaction when there are 800 keys", async (server) => {
  const { url } = await server.database();
  const { store } = await openCounted(url);
  await using _ = store;
  await store.ping();
  await using observer = await server.session(); // its own login and goodbye would count as well
  const before = await counters(observer);
  const keys = Array.from({ length: 800 }, (_, n) => ({ type: "a", id: `${n}`, value: n % 2 ? "v" : null }));
  await store.saveKeys("s", keys, "login");
  const after = await counters(observer);
  const grown = Object.keys(after).filter((name) => after[name] !== before[name]);
  assert.deepEqual(grown.sort(), ["Com_insert", "Questions"]);
  assert.equal(after["Com_insert"]! - before["Com_insert"]!, 1);
  assert.equal(after["Questions"]! - before["Questions"]!, 2); // the insert, and the count itself
});

async function counters(observer: TestSession): Promise<Record<string, number>> {
  const rows = await observer.run(
    "show global status where Variable_name in ('Questions', 'Com_insert', 'Com_update', 'Com_delete', " +
      "'Com_begin', 'Com_commit', 'Com_stmt_prepare', 'Com_stmt_execute')",
  );
  return Object.fromEntries(rows.map((row) => [String(row["Variable_name"]), Number(row["Value"])]));
}

// MariaDB 10.11 offers no TLS of its own accord.
const WITHOUT_TLS = program?.kind === "mysql" ? ["--tls-version="] : [];

serverTest("openStore() says what is wrong with the address when the server refuses it", async (server) => {
  const { url, name } = await server.database();
  for (const host of ["localhost", "%"]) {
    await server.run(`create user 'app'@'${host}' identified by 'hunter2'`);
  }
  const refused = [
    [url.replace("root:", "root:hunter2"), /user or the password/],
    [url.replace("root:", "nobody:hunter2"), /user or the password/],
    [url.replace("root:", "app:hunter2"), /may not use the database/],
    [url.replace(name, "absent"), /does not exist/],
    [`${url}?ssl=skip-verify`, /TLS/],
  ] as const;
  for (const [address, sentence] of refused) {
    await assert.rejects(open(address), (error) => {
      assert.ok(error instanceof DatabaseUnusableError, String(error));
      assert.match(error.message, sentence);
      assert.ok(!error.message.includes("hunter2"));
      return true;
    });
  }
}, WITHOUT_TLS);

Deno.test("mysql: openStore() trusts nobody when the file of authorities holds none", async () => {
  const file = await Deno.makeTempFile();
  try {
    for (const text of ["", "no certificate", "-----BEGIN CERTIFICATE-----\n"]) {
      await Deno.writeTextFile(file, text);
      for (const ssl of ["true", "verify-ca"]) {
        await refusedFor(`mysql://u@localhost:1/d?ssl=${ssl}&ssl-ca=${file}`, /holds no certificate in PEM/);
      }
    }
  } finally {
    await Deno.remove(file);
  }
});

const named = await Deno.permissions.query({ name: "net", host: "localhost" });
const whyNoTls = program === undefined
  ? whatIsMissing()
  : named.state !== "granted"
  ? "localhost not allowed"
  : "";

Deno.test({
  name: "mysql: openStore() checks the certificate and the name in it when the URL asks for TLS" +
    (whyNoTls && ` (skipped: ${whyNoTls})`),
  ignore: whyNoTls !== "",
  fn: checkTls,
});

async function checkTls(): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tls-" });
  try {
    const files = await makeCertificates(folder);
    if (files === undefined) return; // no openssl here
    const options = [`--ssl-ca=${files.ca}`, `--ssl-cert=${files.certificate}`, `--ssl-key=${files.key}`];
    await using server = await TestServer.start(program!, options);
    const { url: byAddress } = await server.database();
    const url = byAddress.replace("@127.0.0.1:", "@localhost:");
    for (const parameters of [`?ssl-ca=${files.ca}`, "?ssl=skip-verify"]) {
      const [row] = await query(`${url}${parameters}`, "show session status like 'Ssl_version'");
      assert.match(row.Value, /^TLS/);
    }
    await refusedFor(`${url}?ssl=true`, /an authority that is not trusted/);
    await Deno.copyFile(files.elsewhere, files.certificate);
    await server.stop();
    await server.restart();
    await refusedFor(`${url}?ssl-ca=${files.ca}`, /for another name than the host in DATABASE_URL/);
    await refusedFor(
      `${byAddress}?ssl=verify-ca&ssl-ca=${files.otherCa}`,
      /an authority that is not trusted/,
    );
    const [row] = await query(
      `${byAddress}?ssl=verify-ca&ssl-ca=${files.ca}`,
      "show session status like 'Ssl_version'",
    );
    assert.match(row.Value, /^TLS/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function refusedFor(url: string, sentence: RegExp): Promise<void> {
  return assert.rejects(
    open(url),
    (error) => error instanceof DatabaseUnusableError && sentence.test(error.message),
  );
}

interface Certificates {
  ca: string;
  /** An authority that has signed neither. */
  otherCa: string;
  key: string;
  /** For `localhost`. */
  certificate: string;
  /** For another name, of the same authority. */
  elsewhere: string;
}

/** An authority and two certificates, good for a day; undefined where there is no openssl. */
async function makeCertificates(folder: string): Promise<Certificates | undefined> {
  const openssl = async (...args: string[]) => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
  };
  try {
    for (const ca of ["ca", "other"]) {
      await openssl(
        ...`req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=${ca} -keyout ${ca}.key -out ${ca}.pem`.split(
          " ",
        ),
      );
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound) || PROGRAMS_REQUIRED) throw error;
    console.info("Skipped, since openssl is not installed: the certificate of a database server");
    return undefined;
  }
  await openssl(..."req -newkey rsa:2048 -nodes -subj /CN=db -keyout db.key -out db.csr".split(" "));
  for (const name of ["localhost", "elsewhere"]) {
    await Deno.writeTextFile(`${folder}/extensions`, `subjectAltName=DNS:${name}`);
    const sign = "x509 -req -days 1 -in db.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile extensions";
    await openssl(...sign.split(" "), "-out", `${name}.pem`);
  }
  return {
    ca: `${folder}/ca.pem`,
    otherCa: `${folder}/other.pem`,
    key: `${folder}/db.key`,
    certificate: `${folder}/localhost.pem`,
    elsewhere: `${folder}/elsewhere.pem`,
  };
}

serverTest(
  "a transaction whose connection was given up keeps no lock, when the server was not told",
  async (server) => {
    const { url, name } = await server.database();
    await server.run("create user app@'%' identified by 'secret'");
    await server.run(`grant all on ${name}.* to app@'%'`);
    const { proxy, url: through } = await HoldingProxy.before(url.replace("root:@", "app:secret@"), true);
    await using _ = proxy;
    const database = await connect(through, { bounds: { statementMs: 3_000 } });
    await migrateDatabase(database);
    await using store = new SqlStore(database, KEYS);
    await saveNew(store, createSession("s", 1), adopt("first"));
    const second = adopt("second");
    proxy.holdFrom("commit");
    await assert.rejects(store.save(createSession("s", 2), second), StoreUnavailableError);
    const [held] = await server.run("select count(*) as n from information_schema.innodb_trx");
    assert.equal(Number(held?.["n"]), 1);
    proxy.pass();
    await store.save(createSession("s", 2), second);
    assert.equal(await store.loadCredentials("s"), "second");
    assert.equal((await store.find("s"))?.session.updatedAt, 2);
  },
);
