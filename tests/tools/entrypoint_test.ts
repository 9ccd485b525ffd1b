import assert from "node:assert/strict";
import { type Environment, hubOf, TestProcess } from "../../lab/process.ts";
import { programTest, run } from "../../lab/programs.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const ENTRYPOINT = `${root}/packaging/entrypoint.sh`;
const HEALTHCHECK = `${root}/packaging/healthcheck.sh`;

/** What the image starts: entry point, launcher, service. */
function container(environment: Environment): TestProcess {
  return new TestProcess(ENTRYPOINT, [
    Deno.execPath(),
    "run",
    "--quiet",
    `--config=${root}/deno.json`,
    "-P=launcher",
    `${root}/tools/start.ts`,
  ], environment);
}

const KEYS = { HUB_API_KEY: "a-key-of-the-hub's", INTERNAL_API_KEY: "an-internal-key..." };

for (const policy of ["exit", "wait"]) {
  Deno.test(`entrypoint.sh ends as its command does when ON_CONFIG_FAULT is ${policy}`, async () => {
    for (const code of [0, 1, 69, 127, 143, ...(policy === "exit" ? [78] : [])]) {
      const outcome = await run(ENTRYPOINT, ["sh", "-c", 'exit "$0"', String(code)], {
        ON_CONFIG_FAULT: policy,
      });
      assert.equal(outcome.code, code);
    }
  });
}

Deno.test("entrypoint.sh lets a configuration fault end the container unless it is told to wait", async () => {
  await using process = container({ PORT: "none" });
  assert.equal(await process.exit(), 78);
  assert.match(process.stderr, /^PORT has to be a whole number/);
});

Deno.test("entrypoint.sh stays after a configuration fault, unhealthy, until it is stopped, when it is told to wait", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    await using process = container({ PORT: "none", ON_CONFIG_FAULT: "wait" });
    await process.line((line) => line.startsWith("Waiting to be stopped"));
    assert.match(process.stderr, /^PORT has to be a whole number/);
    assert.notEqual((await run(HEALTHCHECK, [], { HOST: "127.0.0.1", PORT: "1" })).code, 0);
    assert.ok(!process.ended);
    process.kill(signal);
    assert.equal(await process.exit(), 78);
  }
});

Deno.test("entrypoint.sh tells its command to stop when it is told to, and gives its exit code", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    const script = `trap 'echo told; exit 7' TERM; echo ready; while :; do sleep 0.05; done`;
    await using process = new TestProcess(ENTRYPOINT, ["bash", "-c", script], { ON_CONFIG_FAULT: "wait" });
    await process.line((line) => line === "ready");
    process.kill(signal);
    assert.equal(await process.exit(), 7);
    assert.ok(process.lines.includes("told"));
  }
});

await programTest(
  "bash",
  "the container's service is healthy with its keys set and HOST 0.0.0.0, and stops with 0 when it is told to",
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      const environment = {
        ...KEYS,
        ON_CONFIG_FAULT: "wait",
        HOST: "0.0.0.0",
        PORT: "0",
        DATABASE_URL: `sqlite:${folder}/sessions.db`,
        SOCKET_WORKERS: "1",
      };
      await using process = container(environment);
      const { port } = await process.event("listening");
      const check = () => run(HEALTHCHECK, [], { ...environment, PORT: String(port) });
      assert.equal((await check()).code, 0);
      assert.equal((await (await hubOf(process)).get("x")).status, 401);
      process.kill("SIGTERM");
      assert.equal(await process.exit(), 0);
      assert.ok((await process.event("stopped")).time);
      assert.notEqual((await check()).code, 0);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);

await programTest(
  "bash",
  "healthcheck.sh is content with a 200 from /healthz, and with nothing else",
  async () => {
    let status = 200;
    const paths: string[] = [];
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
      paths.push(new URL(request.url).pathname);
      return new Response("{}", { status });
    });
    const check = async () =>
      (await run(HEALTHCHECK, [], { HOST: "0.0.0.0", PORT: String(server.addr.port) }))
        .code;
    assert.equal(await check(), 0);
    status = 503;
    assert.equal(await check(), 1);
    await server.shutdown();
    assert.equal(await check(), 1);
    assert.deepEqual(paths, ["/healthz", "/healthz"]);
  },
);
