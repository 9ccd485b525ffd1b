/**
 * A database server that answers and does not let the service work: the service ends with one sentence, with 78 where
 * it will never work as it is, with 69 where it may later on.
 * @module
 */
import assert from "node:assert/strict";
import { TestServer } from "../../../lab/databases/server.ts";
import { ownServerProgram, type ServerKind, whatIsMissing } from "../../../lab/databases/server_program.ts";
import { flagsFor, hubOf, serviceProcess, TestProcess } from "../../../lab/process.ts";
import { environmentFor, failure, processWithPauses, stopped } from "./start_process.ts";

const program = await ownServerProgram();

/** Logs what it does, so that a server can be told how. */
const LOGGING = ["--log-bin=bin", "--server-id=1"];

/** One for all of this file's tests: each leaves it as it found it. */
const server = program === undefined ? undefined : await TestServer.start(program, LOGGING);

/** Declares a test over that server; without `only` over whichever there is. */
function serverTest(name: string, body: (server: TestServer) => Promise<void>, only?: ServerKind): void {
  if (program !== undefined && only !== undefined && only !== program.kind) return;
  Deno.test({
    name: `${name}${program === undefined ? ` (skipped: ${whatIsMissing()})` : ""}`,
    ignore: program === undefined,
    fn: () => body(server!),
  });
}

/** A database and an account without special rights, `app`, that may do with it what it needs. */
async function applicant(server: TestServer): Promise<{ url: string; name: string }> {
  const { url, name } = await server.database();
  for (const host of ["localhost", "127.0.0.1"]) {
    await server.run(`create user if not exists 'app'@'${host}' identified by 'hunter2'`);
    await server.run(`grant select, insert, update, delete, create, alter on ${name}.* to 'app'@'${host}'`);
  }
  return { url: url.replace("root:@", "app:hunter2@"), name };
}

/** A thing that stands in the way, and how the service ends for it. */
interface Obstacle {
  readonly what: string;
  readonly only?: ServerKind;
  /** Run by root for every account of the applicant's, `$user`. */
  readonly put: string;
  readonly remove: string;
  readonly code: 69 | 78;
  readonly sentence: RegExp;
}

const MAY = "select, insert, update, delete, create, alter";
const OBSTACLES: readonly Obstacle[] = [
  {
    what: "a table of its name is another's",
    put: "create table $name.ll_whatsapp_migrations (a int)",
    remove: "drop table $name.ll_whatsapp_migrations",
    code: 78,
    sentence: /^The database refuses what the service asks of it: error 1054 \(SQLSTATE 42S22\)\.$/,
  },
  {
    what: "connections without TLS are not allowed",
    only: "mysql",
    put: "set global require_secure_transport = on",
    remove: "set global require_secure_transport = off",
    code: 78,
    sentence: /^The server takes connections over TLS alone; set ssl in DATABASE_URL\.$/,
  },
  {
    what: "the account logs in in a way that the driver does not know",
    only: "mariadb",
    put: "install plugin if not exists ed25519 soname 'auth_ed25519'; " +
      "alter user $user identified via ed25519 using password('hunter2')",
    remove: "alter user $user identified by 'hunter2'",
    code: 78,
    sentence:
      /^The account in DATABASE_URL has to log in in a way that this service or the server does not know; /,
  },
  {
    what: "the account wants TLS",
    put: "alter user $user require ssl",
    remove: "alter user $user require none",
    code: 78,
    sentence:
      /^The database refuses the user or the password in DATABASE_URL, or lets this account in over TLS alone/,
  },
  {
    what: "statements are logged",
    put: "set global binlog_format = 'STATEMENT'",
    remove: "set global binlog_format = 'ROW'",
    code: 78,
    sentence: /^The server logs statements \(binlog_format is STATEMENT\)/,
  },
  {
    what: "it is read-only",
    put: "set global read_only = on",
    remove: "set global read_only = off",
    code: 69,
    sentence: /cannot be used for now, since it runs with --read-only: error 1290 \(SQLSTATE HY000\)\.$/,
  },
  {
    what: "it is offline",
    only: "mysql",
    put: "set global offline_mode = on",
    remove: "set global offline_mode = off",
    code: 69,
    sentence: /cannot be used for now, since it is offline \(offline_mode\): error 3032/,
  },
  {
    what: "the account may not create tables",
    put: "revoke create on $name.* from $user",
    remove: `grant ${MAY} on $name.* to $user`,
    code: 78,
    sentence: /^The account in DATABASE_URL lacks the privilege CREATE: grant it, /,
  },
  {
    what: "the account may do nothing",
    put: `revoke ${MAY} on $name.* from $user`,
    remove: `grant ${MAY} on $name.* to $user`,
    code: 78,
    sentence: /^The user in DATABASE_URL may not use the database that it names\.$/,
  },
  {
    what: "the account is locked",
    put: "alter user $user account lock",
    remove: "alter user $user account unlock",
    code: 78,
    sentence: /^The account in DATABASE_URL is locked; unlock it on the server\.$/,
  },
  {
    what: "the password has expired",
    put: "alter user $user password expire",
    remove: "alter user $user identified by 'hunter2'",
    code: 78,
    sentence: /^The password in DATABASE_URL has expired; /,
  },
  {
    what: "connections are ended after their first statement",
    put: "set global init_connect = 'no statement'",
    remove: "set global init_connect = ''",
    code: 69,
    sentence: /^The database of DATABASE_URL \(127\.0\.0\.1:\d+\/store_\w+\) cannot be /,
  },
  {
    what: "tables are to be encrypted and there is no key",
    only: "mysql",
    put: "alter database $name encryption = 'Y'",
    remove: "alter database $name encryption = 'N'",
    code: 78,
    sentence: /^The database refuses what the service asks of it: error 3185 \(SQLSTATE HY000\)\.$/,
  },
];

serverTest("the service ends with a sentence when the database does not let it work", async (server) => {
  const { url, name } = await applicant(server);
  await using root = await server.session(); // new ones may not be let in
  const run = async (statement: string) => {
    const users = statement.includes("$user") ? ["'app'@'localhost'", "'app'@'127.0.0.1'"] : [""];
    for (const user of users) {
      await root.run(statement.replaceAll("$user", user).replaceAll("$name", name));
    }
  };
  for (const { what, only, put, remove, code, sentence } of OBSTACLES) {
    if (only !== undefined && only !== program!.kind) continue;
    await run(put);
    const end = await failure(processWithPauses(environmentFor(url), [10]));
    await run(remove);
    assert.equal(end.code, code, `${what}: ${end.sentence}`);
    assert.match(end.sentence, sentence, what);
    assert.ok(!end.sentence.includes("hunter2"), end.sentence);
  }
  await using process = serviceProcess(environmentFor(url));
  assert.equal(
    (await (await hubOf(process)).get("nobody")).status,
    404,
    "nothing stands in the way any more",
  );
  await stopped(process);
});

serverTest("the service ends with 69 when the database takes no more connections", async (server) => {
  const { url } = await applicant(server);
  await using sessions = new AsyncDisposableStack();
  const first = sessions.use(await server.session());
  await first.run("set global max_connections = 10");
  const full = async () => {
    for (;;) sessions.use(await server.session());
  };
  await assert.rejects(full(), ({ errno }: { errno?: number }) => errno === 1040);
  const { code, sentence } = await failure(processWithPauses(environmentFor(url), [10, 10]));
  await first.run("set global max_connections = 151");
  assert.equal(code, 69);
  assert.match(sentence, /cannot be used for now, since it takes no more connections: error 1040/);
});

serverTest("a tool ends with the same sentence and code as the service", async (server) => {
  const { url, name } = await applicant(server);
  const tool = () => {
    const environment = environmentFor(url);
    return failure(TestProcess.script("tools/migrate.ts", flagsFor(environment), environment));
  };
  for (const host of ["localhost", "127.0.0.1"]) {
    await server.run(`revoke create on ${name}.* from 'app'@'${host}'`);
  }
  const denied = await tool();
  assert.deepEqual(
    [denied.code, /lacks the privilege CREATE:/.test(denied.sentence)],
    [78, true],
    denied.sentence,
  );
  for (const host of ["localhost", "127.0.0.1"]) {
    await server.run(`grant create on ${name}.* to 'app'@'${host}'`);
  }
  await server.run("set global read_only = on");
  const readOnly = await tool();
  await server.run("set global read_only = off");
  assert.equal(readOnly.code, 69, readOnly.sentence);
  assert.match(
    readOnly.sentence,
    /since it runs with --read-only: error 1290 \(SQLSTATE HY000\); what was done stays done/,
  );
});

serverTest("the service logs in with caching_sha2_password, with TLS and without", async (server) => {
  const { url } = await applicant(server);
  for (const parameters of ["", "", "?ssl=skip-verify"]) {
    if (parameters !== "") await server.run("flush privileges"); // and with them what the server remembers of a login
    await using process = serviceProcess(environmentFor(url + parameters));
    assert.equal((await (await hubOf(process)).get("nobody")).status, 404);
    await stopped(process);
  }
}, "mysql");

serverTest(
  "the service checks the certificate that MySQL has made for itself by its authority",
  async (server) => {
    const { url } = await applicant(server);
    const authority = `ssl-ca=${server.dataFolder}/ca.pem`;
    const byName = await failure(
      serviceProcess(environmentFor(`${url.replace("127.0.0.1", "localhost")}?${authority}`)),
    );
    assert.equal(byName.code, 78);
    assert.match(byName.sentence, /is for another name than the host in DATABASE_URL; .*ssl=verify-ca/);

    await using process = serviceProcess(environmentFor(`${url}?ssl=verify-ca&${authority}`));
    assert.equal((await (await hubOf(process)).get("nobody")).status, 404);
    await stopped(process);

    const other = `ssl-ca=${server.dataFolder}/client-cert.pem`;
    const byNobody = await failure(serviceProcess(environmentFor(`${url}?ssl=verify-ca&${other}`)));
    assert.equal(byNobody.code, 78);
    assert.match(byNobody.sentence, /from an authority that is not trusted/);
  },
  "mysql",
);

Deno.test("the service ends with 78 when the port is MySQL's, and another protocol's", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const greeted = (async () => {
    using connection = await listener.accept();
    await connection.write(new Uint8Array([5, 0, 0, 0, 11, 8, 5, 26, 0])); // as the X protocol greets
    await connection.read(new Uint8Array(1));
  })();
  const url = `mysql://app:hunter2@127.0.0.1:${listener.addr.port}/sessions`;
  const { code, sentence } = await failure(processWithPauses(environmentFor(url), []));
  await greeted;
  assert.equal(code, 78);
  assert.match(sentence, /^What answers at the address in DATABASE_URL is no MySQL or MariaDB server\.$/);
});
