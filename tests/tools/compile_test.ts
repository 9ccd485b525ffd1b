import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { parseConfig } from "../../config.ts";
import project from "../../deno.json" with { type: "json" };
import { permissionFlags } from "../../permissions.ts";
import { compileCommand, LEFT_OUT, packageFolder, STARTED_BY_ADDRESS } from "../../tools/compile.ts";
import { startCommand } from "../../tools/start.ts";
import { tryOut } from "../../tools/try_out.ts";
import { type Environment, hubOf, TestProcess } from "../../lab/process.ts";
import { startGateway } from "../../lab/simulator/mod.ts";
import { run } from "../../lab/programs.ts";
import { graphOf } from "./graph.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/**
 * The runtime to embed, where this machine has one. What is embedded does not depend on what it is embedded in, so
 * `deno` itself stands in otherwise; the result holds the same, and does not run.
 */
const DENORT = Deno.env.get("DENORT_BIN");

async function compile(environment: Environment, output: string): Promise<void> {
  const args = compileCommand(parseConfig(environment, 2), root, await packageFolder(), output);
  const { code, all } = await run(Deno.execPath(), args.toSpliced(1, 0, "--no-check", "--cached-only"), {
    DENORT_BIN: DENORT ?? Deno.execPath(),
  });
  assert.equal(code, 0, all);
}

/** Every module that the executable holds, as `deno info` tells them. */
async function embeddedModules(): Promise<{ entry: string; files: string[]; packages: string[] }[]> {
  const entries = ["main.ts", ...STARTED_BY_ADDRESS];
  return await Promise.all(entries.map(async (entry) => ({ entry, ...await graphOf(entry) })));
}

/**
 * The nearest to the executable that runs without the runtime to embed: its modules and no others, in a folder of
 * their own, under the permissions that it has.
 */
async function assemble(environment: Environment, folder: string): Promise<string> {
  const modules = (await embeddedModules()).flatMap(({ files }) => files);
  const settings = ["deno.json", "deno.lock", ...project.workspace.map((member) => `${member}/deno.json`)];
  for (const file of new Set([...modules, ...settings])) {
    const copy = `${folder}/${file}`;
    await Deno.mkdir(copy.slice(0, copy.lastIndexOf("/")), { recursive: true });
    await Deno.copyFile(`${root}/${file}`, copy);
  }
  const command = startCommand(folder, permissionFlags(parseConfig(environment, 2), folder));
  const executable = `${folder}/session-manager`;
  const quoted = [Deno.execPath(), ...command].map((part) => `'${part}'`).join(" ");
  await Deno.writeTextFile(executable, `#!/bin/sh\nexec ${quoted}\n`, { mode: 0o755 });
  return executable;
}

Deno.test("compile", async (t) => {
  const folder = await Deno.makeTempDir();
  await using gateway = await startGateway();
  const environment = {
    PORT: "0",
    DATABASE_URL: `sqlite:${folder}/data/sessions.db`,
    WHATSAPP_WS_URL: gateway.url,
    WHATSAPP_ROOT_KEY: gateway.rootKey,
    SOCKET_WORKERS: "1",
    // It only ends what hangs.
    QR_WAIT_MS: "600000",
  };
  const config = parseConfig(environment, 2);
  await Deno.mkdir(`${folder}/data`);
  const compiled = `${folder}/executable`;
  try {
    await t.step(
      "the executable holds every module and package of the service and of its workers",
      async () => {
        const packages = await packageFolder();
        assert.ok(LEFT_OUT.every((path) => Deno.statSync(`${packages}/${path}`).isDirectory));
        await compile(environment, compiled);
        // As one character a byte: the engine looks through such a text faster than through a buffer.
        const bytes = (path: string) => Buffer.from(Deno.readFileSync(path)).toString("latin1");
        const executable = bytes(compiled);
        for (const { entry, files, packages: imported } of await embeddedModules()) {
          assert.ok(files.length >= 5 && imported.length > 1);
          for (const file of files) {
            assert.ok(executable.includes(bytes(`${root}/${file}`)), `${entry}: ${file}`);
          }
          for (const specifier of imported) {
            const [, name, version] = /^(@?[^@]+)@([^/]+)/.exec(specifier)!;
            const manifest = bytes(`${packages}/${name}/${version}/package.json`);
            assert.ok(executable.includes(manifest), `${entry}: ${specifier}`);
          }
        }
        assert.ok(!executable.includes(bytes(`${root}/tests/permissions_probe.ts`)));
      },
    );

    const subject = DENORT === undefined
      ? "what it holds, run by deno (no DENORT_BIN here),"
      : "the executable";
    const executable = DENORT === undefined ? await assemble(environment, `${folder}/modules`) : compiled;

    await t.step(`${subject} gives a QR, which its worker got from WhatsApp's server`, async () => {
      await using service = new TestProcess(executable, [], environment);
      const { qr_string } = await (await hubOf(service)).qr("sender_51");
      assert.match(qr_string, /^data:image\/png;base64,/);
      assert.equal((await gateway.phone().scan(qr_string)).outcome, "paired");
      service.kill("SIGTERM");
      assert.equal(await service.exit(), 0);
    });

    await t.step(`${subject} is found to work, and stopped again`, async () => {
      const before = gateway.connections.length;
      assert.deepEqual(await tryOut(executable, config, environment), {
        isSound: true,
        sentence: `${executable} works.`,
      });
      assert.equal(gateway.connections.length, before);
    });

    await t.step(`${subject} is found to start when its address is in use`, async () => {
      using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const elsewhere = { ...environment, PORT: String(taken.addr.port) };
      const occupied = DENORT === undefined
        ? await assemble(elsewhere, `${folder}/occupied`)
        : `${folder}/occupied`;
      if (DENORT !== undefined) {
        await compile(elsewhere, occupied);
      }
      const trial = await tryOut(occupied, parseConfig(elsewhere, 2), elsewhere);
      assert.ok(trial.isSound);
      assert.match(trial.sentence, /its address is in use, so it was tried no further\.$/);
    });

    await t.step("an executable whose workers have nothing to run is found out", async () => {
      const broken = await assemble(environment, `${folder}/broken`);
      await Deno.remove(`${folder}/broken/whatsapp/worker/main.ts`);
      const trial = await tryOut(broken, config, environment);
      assert.ok(!trial.isSound);
      assert.match(trial.sentence, /does not work as the service \(its workers do not start/);
    });

    await t.step("an executable that embeds deno in the place of denort is found out", async () => {
      // It is deno, and asks for something to do.
      const mistaken = DENORT === undefined ? compiled : Deno.execPath();
      const trial = await tryOut(mistaken, config, environment);
      assert.ok(!trial.isSound);
      assert.match(
        trial.sentence,
        /\(it ended before it listened.*DENORT_BIN is set, it has to name a denort/,
      );
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("deno task compile says in one sentence what is missing when there is no runtime to embed", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await using task = TestProcess.script(
      "tools/compile.ts",
      ["-P=launcher", "--allow-net", "--allow-read"],
      { DENORT_BIN: `${folder}/denort` },
      [`${folder}/executable`],
    );
    assert.equal(await task.exit(), 69);
    assert.equal(
      task.stderr.trim().split("\n").at(-1),
      `The runtime that goes into the executable, denort ${Deno.version.deno}, is missing: let this machine ` +
        "download it from Deno, or set DENORT_BIN to the path of a denort of that version.",
    );
    await assert.rejects(Deno.stat(`${folder}/executable`), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
