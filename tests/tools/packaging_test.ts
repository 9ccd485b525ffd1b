import assert from "node:assert/strict";
import dashboard from "../../packaging/grafana/dashboard.json" with { type: "json" };
import { createMetrics } from "../../observe/metrics.ts";
import { CONFIG_VARIABLES, parseConfig } from "../../config.ts";
import { compileCommand, LEFT_OUT, packageFolder, STARTED_BY_ADDRESS } from "../../tools/compile.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);

async function run(command: string, args: string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), all: text(stdout) + text(stderr) };
}

async function exists(command: string): Promise<boolean> {
  return (await run("sh", ["-c", `command -v ${command}`])).code === 0;
}

// ── Metrics ──────────────────────────────────────────────────────────────────────────────────────

/** Every metric of the service: its whole name and its kind. */
const METRICS = await createMetrics().registry.getMetricsAsJSON();

const SERIES: ReadonlySet<string> = new Set(
  METRICS.flatMap(({ name, type }) =>
    String(type) === "histogram" ? ["bucket", "sum", "count"].map((part) => `${name}_${part}`) : [name]
  ),
);

for (const file of ["prometheus/alerts.yml", "prometheus/alerts_test.yml", "grafana/dashboard.json"]) {
  Deno.test(`packaging/${file} names metrics that exist, and no others`, () => {
    const names = new Set(read(`packaging/${file}`).match(/\bsession_manager_[a-z_]+/g));
    assert.ok(names.size > 2);
    assert.deepEqual([...names].filter((name) => !SERIES.has(name)), []);
  });
}

Deno.test("the dashboard shows every metric, over a data source that is chosen when it is loaded", () => {
  const text = JSON.stringify(dashboard);
  const missing = METRICS.filter(({ name }) => !text.includes(name));
  assert.deepEqual(missing, []);
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const { datasource, targets } of dashboard.panels) {
    assert.equal(datasource.uid, "${datasource}");
    assert.ok(targets.every(({ expr }) => expr.includes("$instance")));
  }
});

Deno.test({
  name: "promtool takes the rules and their tests, the scrape configuration, and the dashboard's queries",
  ignore: !await exists("promtool"),
  fn: async () => {
    const folder = `${root}/packaging/prometheus`;
    const queries = await Deno.makeTempFile({ suffix: ".json" });
    try {
      const rules = dashboard.panels.flatMap(({ id, targets }) =>
        targets.map(({ refId, expr }) => ({
          record: `panel:${id}:${refId}`,
          expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*"),
        }))
      );
      await Deno.writeTextFile(queries, JSON.stringify({ groups: [{ name: "dashboard", rules }] }));
      for (
        const args of [
          ["check", "rules", `${folder}/alerts.yml`, queries],
          ["test", "rules", `${folder}/alerts_test.yml`],
          ["check", "config", "--syntax-only", `${folder}/prometheus.yml`],
        ]
      ) {
        const { code, all } = await run("promtool", args);
        assert.equal(code, 0, all);
      }
    } finally {
      await Deno.remove(queries);
    }
  },
});

// ── Image ────────────────────────────────────────────────────────────────────────────────────────

const namesIn = (text: string) => /--allow-env=([A-Z_,]+)/.exec(text)?.[1]?.split(",").sort();

Deno.test("the image and the unit give the launcher the configuration's names, and one program to start", () => {
  for (const file of ["Dockerfile", "packaging/session-manager.service"]) {
    const text = read(file);
    assert.deepEqual(namesIn(text), [...CONFIG_VARIABLES].sort(), file);
    assert.deepEqual(text.match(/--allow-(?!env=)[^\s",]+/g), ["--allow-run=/usr/local/bin/deno"], file);
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
  assert.match(text, /^HEALTHCHECK .*\/app\/packaging\/healthcheck\.sh"\]$/m);
  assert.equal(Deno.statSync(`${root}/packaging/healthcheck.sh`).mode! & 0o111, 0o111);
});

interface Module {
  readonly specifier: string;
  readonly error?: string;
  /** `code` is absent where only types are imported, of which nothing is left at run time. */
  readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
}

/** The modules of this repository, and the packages, that a module leads to at run time. */
async function graphOf(entry: string): Promise<{ files: string[]; packages: string[] }> {
  const { out } = await run(Deno.execPath(), ["info", "--json", "--frozen", `${root}/${entry}`]);
  const { modules, redirects } = JSON.parse(out) as { modules: Module[]; redirects: Record<string, string> };
  assert.deepEqual(modules.filter(({ error }) => error), [], entry);
  const known = new Map(modules.map((module) => [module.specifier, module]));
  const reached = new Set([`file://${root}/${entry}`]);
  for (const specifier of reached) {
    for (const { code } of known.get(specifier)?.dependencies ?? []) {
      if (code !== undefined) reached.add(redirects[code.specifier] ?? code.specifier);
    }
  }
  const below = (prefix: string) =>
    [...reached].filter((specifier) => specifier.startsWith(prefix)).map((specifier) =>
      specifier.slice(prefix.length)
    );
  return { files: below(`file://${root}/`), packages: below("npm:/") };
}

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
  assert.ok(["deno.json", "deno.lock", "packaging/healthcheck.sh"].every(isKept));
  assert.ok(!isKept("tests/permissions_test.ts") && !isKept("data/session-manager.db.key"));
});

Deno.test({
  name: "healthcheck.sh is content with a 200 from /healthz, and with nothing else",
  ignore: !await exists("bash"),
  fn: async () => {
    let status = 200;
    const paths: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      paths.push(new URL(request.url).pathname);
      return new Response("{}", { status });
    });
    const check = async () =>
      (await run(`${root}/packaging/healthcheck.sh`, [], { HOST: "0.0.0.0", PORT: String(server.addr.port) }))
        .code;
    assert.equal(await check(), 0);
    status = 503;
    assert.equal(await check(), 1);
    await server.shutdown();
    assert.equal(await check(), 1);
    assert.deepEqual(paths, ["/healthz", "/healthz"]);
  },
});

Deno.test("compose.yaml waits for a healthy database, hardens the service, and holds no secret", () => {
  const text = read("compose.yaml");
  const service = text.slice(text.indexOf("  session-manager:\n"), text.indexOf("\n  mysql:\n"));
  for (
    const line of [
      "condition: service_healthy",
      "read_only: true",
      "cap_drop: [ALL]",
      "security_opt: [no-new-privileges:true]",
      "- /tmp:size=16m",
      "- data:/data",
    ]
  ) assert.ok(service.includes(line), line);
  assert.match(text, /^ {4}image: mysql:8\.0\.\d+$/m);
  const secrets = text.matchAll(/^ +\w*(?:KEY|PASSWORD|DATABASE_URL): (.*)$/gm);
  assert.ok([...secrets].every(([, value]) => value!.includes(":?see the top of compose.yaml}")));
});

// ── systemd ──────────────────────────────────────────────────────────────────────────────────────

Deno.test({
  name: "systemd takes the unit, and finds little exposed",
  ignore: !await exists("systemd-analyze"),
  fn: async () => {
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
});

Deno.test("the unit leaves V8 its compiler, and does not start again what has to be mended", () => {
  const text = read("packaging/session-manager.service");
  assert.doesNotMatch(text, /^MemoryDenyWriteExecute=/m);
  for (
    const line of [
      "Restart=on-failure",
      "RestartPreventExitStatus=78",
      "TimeoutStopSec=15",
      "NoNewPrivileges=yes",
    ]
  ) assert.ok(text.includes(`\n${line}\n`), line);
});

// ── One executable ───────────────────────────────────────────────────────────────────────────────

Deno.test("the compiled executable holds every module and package of the service and of its workers", async () => {
  const packages = await packageFolder();
  assert.ok(LEFT_OUT.every((path) => Deno.statSync(`${packages}/${path}`).isDirectory));
  const folder = await Deno.makeTempDir();
  try {
    const args = compileCommand(parseConfig({}, 2), root, packages, `${folder}/executable`);
    // What is embedded does not depend on what it is embedded in: this runtime stands in for the one that the
    // compiler would fetch. The result is looked into and not run.
    const { code, all } = await run(Deno.execPath(), args.toSpliced(1, 0, "--no-check", "--cached-only"), {
      DENORT_BIN: Deno.execPath(),
    });
    assert.equal(code, 0, all);
    const { Buffer } = await import("node:buffer");
    // As one character a byte: the engine looks through such a text faster than through a buffer.
    const bytes = (path: string) => Buffer.from(Deno.readFileSync(path)).toString("latin1");
    const executable = bytes(`${folder}/executable`);
    for (const entry of ["main.ts", ...STARTED_BY_ADDRESS]) {
      const graph = await graphOf(entry);
      assert.ok(graph.files.length >= 5 && graph.packages.length > 1);
      for (const file of graph.files) {
        assert.ok(executable.includes(bytes(`${root}/${file}`)), `${entry}: ${file}`);
      }
      for (const specifier of graph.packages) {
        const [, name, version] = /^(@?[^@]+)@([^/]+)/.exec(specifier)!;
        const manifest = bytes(`${packages}/${name}/${version}/package.json`);
        assert.ok(executable.includes(manifest), `${entry}: ${specifier}`);
      }
    }
    assert.ok(!executable.includes(bytes(`${root}/tests/permissions_probe.ts`)));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
