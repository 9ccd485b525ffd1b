import assert from "node:assert/strict";
import denoConfig from "../deno.json" with { type: "json" };
import { CONFIG_VARIABLES, parseConfig } from "../config.ts";
import { permissionFlags } from "../permissions.ts";
import { MOVE_TO } from "../tools/besides.ts";
import { startCommand } from "../tools/start.ts";
import { hubOf, serviceProcess } from "../lab/process.ts";
import { startGateway } from "../lab/simulator/mod.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** The command line of every task; one that only calls others has none. */
const COMMANDS: readonly (readonly [name: string, command: string])[] = Object.entries(denoConfig.tasks).map((
  [name, task],
) => [name, "command" in task ? task.command : ""]);

const KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
/** The configuration's names, and the seven switches that the packages of a socket worker ask for. */
const ENV =
  `--allow-env=${CONFIG_VARIABLES.join(",")},WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE,NODE_DEBUG,NODE_ENV,` +
  "DEBUG,NODE_V8_COVERAGE,WHATSAPP_RUST_BRIDGE_FORCE_NOSIMD";
const SYS = "--allow-sys=hostname,osRelease";
/** Uptime besides, by which a replica notices that its machine has slept. */
const REPLICA_SYS = `${SYS},osUptime`;

function flagsOf(environment: Readonly<Record<string, string>>): string[] {
  return permissionFlags(parseConfig(environment, 2), "/srv/app");
}

Deno.test("permissionFlags() gives a default configuration its address, WhatsApp and its data folder", () => {
  assert.deepEqual(flagsOf({}), [
    "--allow-net=127.0.0.1:8080,web.whatsapp.com:443",
    ENV,
    SYS,
    "--allow-read=/srv/app/whatsapp/worker,data",
    "--allow-write=data",
    "--no-prompt",
  ]);
});

Deno.test("permissionFlags() follows PORT, HOST, DATABASE_URL and WHATSAPP_WS_URL", () => {
  const keys = { HUB_API_KEY: "a-key-of-the-hub's", INTERNAL_API_KEY: "an-internal-key..." };
  assert.deepEqual(
    flagsOf({
      ...keys,
      HOST: "0.0.0.0",
      PORT: "9000",
      DATABASE_URL: "sqlite:/var/lib/x/sessions.db",
      WHATSAPP_WS_URL: "ws://10.0.0.9/ws",
    }),
    [
      "--allow-net=0.0.0.0:9000,10.0.0.9:80",
      ENV,
      SYS,
      "--allow-read=/srv/app/whatsapp/worker,/var/lib/x",
      "--allow-write=/var/lib/x",
      "--no-prompt",
    ],
  );
  assert.deepEqual(flagsOf({ DATABASE_URL: "sqlite::memory:" }).slice(3), [
    "--allow-read=/srv/app/whatsapp/worker",
    "--no-prompt",
  ]);
});

Deno.test("permissionFlags() gives MySQL its server and the file of its authorities, and nothing to write", () => {
  for (const parameters of ["ssl-ca=/etc/ssl/db.pem", "ssl=verify-ca&ssl-ca=/etc/ssl/db.pem"]) {
    const DATABASE_URL = `mysql://user:pass@db.internal:3307/sessions?${parameters}`;
    assert.deepEqual(flagsOf({ DATABASE_URL, CREDENTIALS_KEY: KEY }), [
      "--allow-net=127.0.0.1:8080,web.whatsapp.com:443,db.internal:3307",
      ENV,
      REPLICA_SYS,
      "--allow-read=/srv/app/whatsapp/worker,/etc/ssl/db.pem",
      "--no-prompt",
    ]);
  }
});

Deno.test("permissionFlags() puts an IPv6 address in brackets, as the runtime wants it", () => {
  const environment = { HOST: "::1", WHATSAPP_WS_URL: "ws://[::1]:9001/ws", CREDENTIALS_KEY: KEY };
  assert.equal(
    flagsOf({ ...environment, DATABASE_URL: "mysql://user:pass@[::1]:3306/x" })[0],
    "--allow-net=[::1]:8080,[::1]:9001,[::1]:3306",
  );
});

Deno.test("permissionFlags() lets no path grow into two", () => {
  for (
    const DATABASE_URL of [
      "sqlite:/var/lib/x,/etc/sessions.db",
      "mysql://user:pass@db/x?ssl-ca=/etc/ssl/db.pem,/",
    ]
  ) assert.throws(() => flagsOf({ DATABASE_URL, CREDENTIALS_KEY: KEY }), /DATABASE_URL .*comma/);
});

/** Listens, and counts who comes. */
function countingListener(): { place: string; count: () => number } & Disposable {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let count = 0;
  (async () => {
    for await (const connection of listener) {
      count++;
      connection.close();
    }
  })().catch(() => {});
  return {
    place: `127.0.0.1:${listener.addr.port}`,
    count: () => count,
    [Symbol.dispose]: () => listener.close(),
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("a program with the service's flags reaches what the configuration names, and nothing else", async () => {
  const folder = await Deno.makeTempDir({ prefix: "permissions-" });
  using database = countingListener();
  using whatsapp = countingListener();
  using other = countingListener();
  // Everything that the runtime itself fetches would go through here.
  using outside = countingListener();
  try {
    await Deno.mkdir(`${folder}/data`);
    await Deno.writeTextFile(`${folder}/data/file`, "x");
    await Deno.writeTextFile(`${folder}/outside`, "x");
    const PORT = String(freePort());
    // One of each kind of database: the server's place and the uptime from MySQL, the folder from SQLite.
    const places = { PORT, WHATSAPP_WS_URL: `ws://${whatsapp.place}/ws`, CREDENTIALS_KEY: KEY };
    const byServer = flagsFor({ ...places, DATABASE_URL: `mysql://user:pass@${database.place}/x` });
    const byFile = flagsFor({ ...places, DATABASE_URL: `sqlite:${folder}/data/x.db` });
    const command = startCommand(root, [byServer[0]!, byFile[1]!, byServer[2]!, ...byFile.slice(3)]).map((
      argument,
    ) => argument === `${root}/main.ts` ? `${root}/tests/permissions_probe.ts` : argument);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...command,
        JSON.stringify({
          own: `127.0.0.1:${PORT}`,
          database: database.place,
          whatsapp: whatsapp.place,
          otherPort: other.place,
          data: `${folder}/data`,
          root,
        }),
      ],
      env: {
        AWS_SECRET_ACCESS_KEY: "secret",
        HTTP_PROXY: `http://${outside.place}`,
        HTTPS_PROXY: `http://${outside.place}`,
        DENO_NO_UPDATE_CHECK: "1",
        NO_COLOR: "1",
      },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.ok(text.startsWith("{"), new TextDecoder().decode(stderr));
    const { needed, unneeded } = JSON.parse(text);

    assert.deepEqual([...new Set(Object.values(needed))], ["reached"], JSON.stringify(needed));
    const reached = Object.entries(unneeded).filter(([, outcome]) => outcome === "reached");
    assert.deepEqual(reached, []);
    assert.equal(Object.keys(unneeded).length, 37);
    // A refused import is reported as a module that is not there, and SQLite attaches no database at all.
    const ways = ["NotCapable", "EPERM", "EACCES", "ERR_MODULE_NOT_FOUND", "ERR_SQLITE_ERROR"];
    const odd = Object.entries(unneeded).filter(([, outcome]) => !ways.includes(outcome as string));
    assert.deepEqual(odd, []);
    assert.equal(other.count(), 0);
    assert.equal(outside.count(), 0, "an import asked a registry for a module");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function flagsFor(environment: Readonly<Record<string, string>>): string[] {
  return permissionFlags(parseConfig(environment, 2), root);
}

Deno.test("main.ts under exactly its flags answers a request for a QR, and stops with 0", async () => {
  const folder = await Deno.makeTempDir({ prefix: "permissions-" });
  await using gateway = await startGateway();
  try {
    await using service = serviceProcess({
      PORT: String(freePort()),
      DATABASE_URL: `sqlite:${folder}/sessions.db`,
      WHATSAPP_WS_URL: gateway.url,
      WHATSAPP_ROOT_KEY: gateway.rootKey,
    });
    const hub = await hubOf(service);
    const { qr_string } = await hub.qr("sender_51");
    assert.match(qr_string, /^data:image\/png;base64,iVBORw0KGgo/);
    const { status, body } = await hub.get("sender_51");
    assert.equal(status, 200);
    assert.equal((body as { status: string }).status, "qr_required");
    service.kill("SIGTERM");
    assert.equal(await service.exit(), 0);
    assert.doesNotMatch(service.stderr, /NotCapable|Uncaught/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("nothing in this repository runs with every permission", async () => {
  const everything = /(?:^|[\s"'`])(?:--allow-all|-A)(?![\w-])/m;
  for (const [name, command] of COMMANDS) {
    assert.doesNotMatch(command, everything, `task ${name}`);
  }
  for await (const file of scripts("")) {
    assert.doesNotMatch(await Deno.readTextFile(`${root}/${file}`), everything, file);
  }
  // A set can be as wide: `true` instead of a set, or "all" in one.
  for (const [name, set] of Object.entries(denoConfig.permissions)) {
    assert.ok(typeof set === "object" && !("all" in set) && !("import" in set), `set ${name}`);
  }
});

/** Whatever may hold a command line; not this file, which names the flags. */
async function* scripts(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory, isFile } of Deno.readDir(`${root}/${folder}`)) {
    const path = `${folder}${name}`;
    if (isDirectory && ![".git", "node_modules", "data", "dist", "coverage"].includes(name)) {
      yield* scripts(`${path}/`);
    }
    if (isFile && /(\.(ts|sh|ya?ml|service)|^run|Dockerfile)$/.test(name) && name !== "permissions_test.ts") {
      yield path;
    }
  }
}

/** The sets of permissions that a command line names, and its flags beside them. */
function grantsOf(command: string): { sets: string[]; flags: string[] } {
  return {
    sets: [...command.matchAll(/\s-P=(\w+)/g)].map(([, set]) => set!),
    flags: command.match(/--(?:allow|deny)-\S+/g) ?? [],
  };
}

Deno.test("a launcher reads the configuration's names, starts programs, and may do nothing else", () => {
  const { launcher, move } = denoConfig.permissions;
  assert.deepEqual(launcher, { env: [...CONFIG_VARIABLES], run: true });
  assert.deepEqual(move, { env: [...CONFIG_VARIABLES, MOVE_TO], run: true });
});

Deno.test("a task that starts something with permissions of its own is itself a launcher, and no other task is", () => {
  const launchers = COMMANDS.filter(([, command]) =>
    /tools\/(start|scoped|doctor|compile)\.ts/.test(command)
  );
  assert.ok(launchers.length > 7, `${launchers.length} launchers`);
  for (const [name, command] of launchers) {
    assert.deepEqual(grantsOf(command), {
      sets: [name === "move" ? "move" : "launcher"],
      // It looks for what goes into the executable, and asks the executable whether it works.
      flags: name === "compile" ? ["--allow-net", "--allow-read"] : [],
    }, `task ${name}`);
  }
  const others = COMMANDS.filter((task) => !launchers.includes(task));
  assert.deepEqual(
    [...new Set(others.flatMap(([, command]) => grantsOf(command).sets))].sort(),
    ["lab", "tests"],
  );
});

Deno.test("a program under a set of permissions has what the set names, and nothing else", async () => {
  const probe = `const of = (descriptor) => Deno.permissions.querySync(descriptor).state === "granted";
    console.log(JSON.stringify({
      env: of({ name: "env" }), port: of({ name: "env", variable: "PORT" }), home: of({ name: "env", variable: "HOME" }),
      moveTo: of({ name: "env", variable: "MOVE_TO" }), run: of({ name: "run" }), net: of({ name: "net" }),
      read: of({ name: "read" }), write: of({ name: "write" }), sys: of({ name: "sys" }), ffi: of({ name: "ffi" }),
      import: of({ name: "import" }) }));`;
  const folder = await Deno.makeTempDir({ prefix: "permissions-" });
  try {
    await Deno.writeTextFile(`${folder}/probe.js`, probe);
    const has = async (...flags: string[]) => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", `--config=${root}/deno.json`, ...flags, `${folder}/probe.js`],
        stdin: "null",
      }).output();
      const text = new TextDecoder().decode(stdout);
      assert.ok(text.startsWith("{"), new TextDecoder().decode(stderr));
      return Object.entries(JSON.parse(text)).filter(([, granted]) => granted).map(([name]) => name);
    };
    assert.deepEqual(await has("-P=launcher"), ["port", "run"]);
    // The image and the unit name the one program that it may start.
    assert.deepEqual(await has("-P=launcher", "--allow-run=/usr/local/bin/deno"), ["port"]);
    assert.deepEqual(await has("-P=launcher", "--allow-net", "--allow-read"), ["port", "run", "net", "read"]);
    assert.deepEqual(await has("-P=move"), ["port", "moveTo", "run"]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
