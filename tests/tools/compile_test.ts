import assert from "node:assert/strict";
import { parseConfig } from "../../config.ts";
import { compileCommand, LEFT_OUT, packageFolder, STARTED_BY_ADDRESS } from "../../tools/compile.ts";
import { run } from "../programs.ts";
import { graphOf } from "./graph.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

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
