import assert from "node:assert/strict";
import project from "../deno.json" with { type: "json" };
import document from "../openapi.json" with { type: "json" };

const root = new URL("..", import.meta.url);

/** Where an image, a package or the document may be named with its version. */
const FILES = [
  "openapi.json",
  "README.md",
  "compose.yaml",
  "packaging/kubernetes.yaml",
  "packaging/kubernetes-sqlite.yaml",
  "Dockerfile",
  "packaging/session-manager.service",
];
const NAMED = /session-manager(?:\/service)?[:@-]v?(\d+\.\d+\.\d+[\w.-]*)/g;

Deno.test("the version is deno.json's, wherever it is named", async () => {
  assert.match(project.version, /^\d+\.\d+\.\d+$/);
  assert.equal(document.info.version, project.version);
  for (const file of FILES) {
    const text = await Deno.readTextFile(new URL(file, root));
    for (const [whole, version] of text.matchAll(NAMED)) {
      assert.equal(version, project.version, `${file}: ${whole}`);
    }
  }
});

Deno.test("every package of the workspace has the version of deno.json", async () => {
  assert.ok(project.workspace.length > 0);
  for (const folder of project.workspace) {
    const text = await Deno.readTextFile(new URL(`${folder}/deno.json`, root));
    assert.equal(JSON.parse(text).version, project.version, folder);
  }
});

Deno.test("the newest section of the changelog is of the version of deno.json", async () => {
  const [heading] = /^## .*$/m.exec(await Deno.readTextFile(new URL("CHANGELOG.md", root))) ?? [];
  assert.equal(/\d+\.\d+\.\d+[\w.-]*/.exec(heading ?? "")?.[0], project.version, String(heading));
});
