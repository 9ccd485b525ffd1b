import assert from "node:assert/strict";
import { parse } from "yaml";
import { z } from "zod";
import { CONFIG_VARIABLES, parseConfig } from "../../config.ts";
import { STORE_PAUSES_MS } from "../../service.ts";
import { STARTED_BY_ADDRESS } from "../../tools/compile.ts";
import { isInstalled, programTest, run } from "../../lab/programs.ts";
import { graphOf } from "./graph.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);

// ── Image ────────────────────────────────────────────────────────────────────────────────────────

Deno.test("the image and the unit give the launcher its set of permissions, and one program to start", () => {
  for (const file of ["Dockerfile", "packaging/session-manager.service"]) {
    assert.deepEqual(
      read(file).match(/(?:--allow-|-P|--permission-set)[^\s",]*/g),
      ["-P=launcher", "--allow-run=/usr/local/bin/deno"],
      file,
    );
  }
});

Deno.test("the image is pinned, runs as a number that is not root, and asks itself whether it is well", () => {
  const text = read("Dockerfile");
  const bases = [...text.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base).filter((base) => base !== "base");
  assert.ok(bases.every((base) => /:\S*\d+\.\d+/.test(base!)), bases.join());
  const pinned = /denoland\/deno:bin-([\d.]+)/.exec(text)?.[1];
  assert.ok(read(".ci/run").includes(`DENO_VERSION=${pinned}\n`), "one version of the runtime everywhere");
  assert.match(text, /^USER [1-9]\d+:[1-9]\d+$/m);
  assert.match(text, /^STOPSIGNAL SIGTERM$/m);
  assert.match(text, /^ENTRYPOINT \["\/app\/packaging\/entrypoint\.sh"\]$/m);
  assert.match(text, /^HEALTHCHECK .*\/app\/packaging\/healthcheck\.sh"\]$/m);
  for (const script of ["entrypoint", "healthcheck"]) {
    assert.equal(Deno.statSync(`${root}/packaging/${script}.sh`).mode! & 0o111, 0o111);
  }
});

Deno.test("the image holds every module that its programs lead to", async () => {
  const lines = read(".dockerignore").split("\n").filter((line) =>
    line && !line.startsWith("#") && line !== "*"
  );
  const kept = lines.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
  const isKept = (file: string) =>
    kept.some((path) =>
      path === "*.ts" ? /^[^/]+\.ts$/.test(file) : file === path || file.startsWith(`${path}/`)
    ) &&
    !lines.includes(file);
  for (
    const entry of [
      ...STARTED_BY_ADDRESS,
      "main.ts",
      "tools/start.ts",
      "tools/doctor.ts",
      "tools/doctor/main.ts",
    ]
  ) {
    const { files } = await graphOf(entry);
    assert.deepEqual(files.filter((file) => !isKept(file)), [], entry);
  }
  assert.ok(["deno.json", "deno.lock", "packaging/entrypoint.sh", "packaging/healthcheck.sh"].every(isKept));
  assert.ok(!isKept("tests/permissions_test.ts") && !isKept("data/session-manager.db.key"));
});

// ── Compose ──────────────────────────────────────────────────────────────────────────────────────

const texts = z.array(z.string());
const seconds = z.string().regex(/^\d+s$/);

/**
 * The parts of the compose specification that the file makes use of. A name or a form that is not among them is a slip
 * that `docker compose` refuses.
 */
const Compose = z.strictObject({
  name: z.string(),
  services: z.record(
    z.string(),
    z.strictObject({
      build: z.literal(".").optional(),
      image: z.string(),
      restart: z.enum(["no", "always", "on-failure", "unless-stopped"]),
      depends_on: z.record(z.string(), z.strictObject({ condition: z.literal("service_healthy") }))
        .optional(),
      command: texts.optional(),
      environment: z.record(z.string(), z.string()),
      healthcheck: z.strictObject({
        test: texts,
        interval: seconds,
        timeout: seconds,
        retries: z.number(),
        start_period: seconds,
      }).optional(),
      ports: z.array(z.string().regex(/^127\.0\.0\.1:\d+:\d+$/)).optional(),
      networks: texts,
      volumes: texts,
      init: z.boolean().optional(),
      read_only: z.boolean().optional(),
      tmpfs: texts.optional(),
      cap_drop: texts.optional(),
      security_opt: texts,
      mem_limit: z.string().optional(),
      pids_limit: z.number().optional(),
      stop_grace_period: seconds,
    }),
  ),
  networks: z.record(z.string(), z.strictObject({ internal: z.boolean() }).nullable()),
  volumes: z.record(z.string(), z.null()),
});

const compose = Compose.parse(parse(read("compose.yaml")));
const { "session-manager": service, mysql } = compose.services;

/** The environment of the service's container, as compose makes it out of what `--env-file` names. */
function environmentWith(given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(service!.environment).map(([name, value]) => [
      name,
      value.replaceAll(/\$\{(\w+):([-?])([^}]*)\}/g, (_, variable, operator, otherwise) => {
        if (given[variable]) return given[variable];
        if (operator === "?") throw new Error(`${variable}: ${otherwise}`);
        return otherwise;
      }),
    ]),
  );
}

const SECRETS = {
  HUB_API_KEY: "a-key-of-the-hub's",
  INTERNAL_API_KEY: "an-internal-key...",
  CREDENTIALS_KEY: btoa("k".repeat(32)),
  MYSQL_PASSWORD: "abc123",
};

Deno.test("compose.yaml waits for a healthy database of a supported version, and hardens the service", async () => {
  assert.deepEqual(service!.depends_on, { mysql: { condition: "service_healthy" } });
  assert.deepEqual(service!.cap_drop, ["ALL"]);
  assert.deepEqual(service!.security_opt, ["no-new-privileges:true"]);
  assert.ok(service!.read_only && service!.volumes.includes("data:/data"));
  assert.match(mysql!.image, /^mysql:8\.4(\.\d+)?$/);
  assert.ok(mysql!.healthcheck);
  if (await isInstalled("docker") && (await run("docker", ["compose", "version"])).code === 0) {
    const secrets = { ...SECRETS, MYSQL_ROOT_PASSWORD: "abc123" };
    const { code, all } = await run(
      "docker",
      ["compose", "--file", `${root}/compose.yaml`, "config", "-q"],
      secrets,
    );
    assert.equal(code, 0, all);
  }
});

Deno.test("compose.yaml brings everything back after a restart of the machine, and holds still what has to be mended", () => {
  for (const { restart } of Object.values(compose.services)) assert.equal(restart, "unless-stopped");
  assert.equal(service!.environment.ON_CONFIG_FAULT, "wait");
});

Deno.test("compose.yaml lets every variable of the configuration through, and no secret is written in it", () => {
  const { ON_CONFIG_FAULT: _, ...environment } = service!.environment;
  assert.deepEqual(Object.keys(environment).sort(), [...CONFIG_VARIABLES].sort());
  const fixed = ["HOST", "PORT", "DATABASE_URL"];
  for (const [name, value] of Object.entries(environment)) {
    if (!fixed.includes(name)) assert.match(value, new RegExp(`^\\$\\{${name}:[-?][^}]*\\}$`), name);
  }
  for (const name of Object.keys(SECRETS)) {
    const { [name as keyof typeof SECRETS]: __, ...others } = SECRETS;
    assert.throws(() => environmentWith(others), new RegExp(`^Error: ${name}: see the top of compose.yaml`));
  }
  for (const { environment } of Object.values(compose.services)) {
    for (const [name, value] of Object.entries(environment)) {
      if (/KEY$|PASSWORD|DATABASE_URL/.test(name)) assert.match(value, /\$\{\w+:[-?]/, name);
    }
  }
});

Deno.test("compose.yaml makes a configuration that the service takes: the defaults, or what is given", () => {
  const defaults = parseConfig(environmentWith(SECRETS), 2);
  assert.deepEqual(defaults, {
    ...parseConfig(SECRETS, 2),
    host: "0.0.0.0",
    databaseUrl: "mysql://session_manager:abc123@mysql:3306/session_manager",
  });
  const given = environmentWith({ ...SECRETS, QR_WAIT_MS: "5000", MAX_PAIRINGS: "7", LOG_LEVEL: "warn" });
  const { qrWaitMs, maxPairings, logLevel } = parseConfig(given, 2);
  assert.deepEqual([qrWaitMs, maxPairings, logLevel], [5_000, 7, "warn"]);
});

// ── systemd ──────────────────────────────────────────────────────────────────────────────────────

await programTest(
  "systemd-analyze",
  "systemd takes the unit, and finds little exposed",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const unit = `${folder}/session-manager.service`;
      const text = read("packaging/session-manager.service");
      // The program of this machine in the place of the one that is to be installed.
      await Deno.writeTextFile(
        unit,
        text.replace("ExecStart=/usr/local/bin/deno", `ExecStart=${Deno.execPath()}`),
      );
      const verified = await run("systemd-analyze", ["verify", unit]);
      assert.equal(verified.code, 0, verified.all);
      const rated = await run("systemd-analyze", [
        "security",
        "--offline=yes",
        "--threshold=20",
        "--no-pager",
        unit,
      ]);
      assert.equal(rated.code, 0, rated.all);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

Deno.test("the unit leaves V8 its compiler, starts with the machine, and does not start again what has to be mended", () => {
  const text = read("packaging/session-manager.service");
  assert.doesNotMatch(text, /^MemoryDenyWriteExecute=/m);
  for (
    const line of [
      "Restart=on-failure",
      "RestartPreventExitStatus=78",
      "TimeoutStopSec=15",
      "NoNewPrivileges=yes",
      "WantedBy=multi-user.target",
    ]
  ) assert.ok(text.includes(`\n${line}\n`), line);
});

Deno.test("the unit goes on starting the service for as long as its database is away", () => {
  const text = read("packaging/session-manager.service");
  const setting = (name: string) => Number(new RegExp(`^${name}=(\\d+)$`, "m").exec(text)?.[1]);
  // Each start waits for the database for so long, and ends with 69.
  const perStartMs = STORE_PAUSES_MS.reduce((sum, pause) => sum + pause, 0) + setting("RestartSec") * 1_000;
  assert.ok(setting("StartLimitIntervalSec") * 1_000 < perStartMs * setting("StartLimitBurst") / 1.5);
});
