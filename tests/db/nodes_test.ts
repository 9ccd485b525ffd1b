import assert from "node:assert/strict";
import fc from "fast-check";
import type { DatabaseNode } from "../../db/database_url.ts";
import { type NodeRole, Nodes, NoPrimaryError, roleIn } from "../../db/nodes.ts";

const NODES: readonly DatabaseNode[] = [1, 2, 3].map((n) => ({ host: `h${n}`, port: 3306 }));
const [H1, H2, H3] = NODES as [DatabaseNode, DatabaseNode, DatabaseNode];

/** Nodes that answer when a test says so. */
function scripted(nodes: readonly DatabaseNode[] = NODES) {
  const asked: { node: DatabaseNode; say: (role: NodeRole) => void; fail: (error: unknown) => void }[] = [];
  const told: (string | undefined)[][] = [];
  const subject = new Nodes({
    nodes,
    ask: (node) => {
      const { promise, resolve, reject } = Promise.withResolvers<NodeRole>();
      asked.push({ node, say: resolve, fail: reject });
      return promise;
    },
    onPrimary: (node, before) => told.push([node.host, before?.host]),
  });
  const answer = (roles: Readonly<Record<string, NodeRole | Error>>) => {
    for (const { node, say, fail } of asked.splice(0)) {
      const role = roles[node.host];
      if (role instanceof Error) fail(role);
      else if (role !== undefined) say(role);
    }
  };
  return { subject, asked, told, answer };
}

const refused = (extra: object = {}) => Object.assign(new Error("refused"), { code: "ECONNREFUSED" }, extra);

Deno.test("Nodes.primary() is the only node at once, and asks nobody", async () => {
  const { subject, asked } = scripted([H1]);
  assert.equal(await subject.primary(), H1);
  subject.lost(H1);
  assert.equal(await subject.primary(), H1);
  assert.equal(asked.length, 0);
});

Deno.test("Nodes.primary() is the node that takes writes, and is asked for once by any number of callers", async () => {
  const { subject, asked, told, answer } = scripted();
  const callers = [subject.primary(), subject.primary(), subject.primary()];
  assert.equal(asked.length, 3);
  answer({ h1: "read_only", h2: "primary", h3: refused() });
  assert.deepEqual(await Promise.all(callers), [H2, H2, H2]);
  assert.equal(await subject.primary(), H2);
  assert.equal(asked.length, 0);
  assert.deepEqual(told, [["h2", undefined]]);
});

Deno.test("Nodes.primary() does not wait for nodes that say nothing", async () => {
  const { subject, answer } = scripted();
  const found = subject.primary();
  answer({ h3: "primary" });
  assert.equal(await found, H3);
});

Deno.test("Nodes.primary() is another node once the last one is lost, which is believed only where no other is there", async () => {
  const { subject, told, answer } = scripted();
  const found = subject.primary();
  answer({ h1: "primary", h2: "read_only", h3: "read_only" });
  await found;
  subject.lost(H2); // it never was the primary
  assert.equal(subject.known, H1);
  subject.lost(H1);
  assert.equal(subject.known, null);
  const next = subject.primary();
  answer({ h1: "primary", h2: "primary", h3: refused() });
  assert.equal(await next, H2);
  assert.deepEqual(told, [["h1", undefined], ["h2", "h1"]]);

  subject.lost(H2);
  const back = subject.primary();
  answer({ h1: "read_only", h2: "primary", h3: refused() });
  assert.equal(await back, H2);
  assert.equal(told.length, 2, "nothing has changed");
});

Deno.test("Nodes.primary() says whether no node can be reached or none takes writes, and looks again the next time", async () => {
  const { subject, answer } = scripted();
  const none = subject.primary();
  answer({ h1: "read_only", h2: refused(), h3: "read_only" });
  await assert.rejects(none, NoPrimaryError);
  const away = subject.primary();
  answer({ h1: refused(), h2: refused(), h3: refused() });
  await assert.rejects(away, { code: "ECONNREFUSED" });
  const denied = subject.primary();
  const refusal = refused({ errno: 1045, sqlState: "28000" });
  answer({ h1: refused(), h2: refusal, h3: refused() });
  await assert.rejects(denied, (error) => error === refusal);
  const found = subject.primary();
  answer({ h1: refused(), h2: refused(), h3: "primary" });
  assert.equal(await found, H3);
});

Deno.test("Nodes.primary() never names a node that does not say so, and finds one whenever another than the last one does", async () => {
  const role = fc.constantFrom<NodeRole | "away">("primary", "read_only", "away");
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(role, role, role), { maxLength: 8 }), async (rounds) => {
    const { subject, answer } = scripted();
    for (const roles of rounds) {
      const last = subject.known;
      if (last !== null) subject.lost(last);
      const found = subject.primary().catch(() => null);
      answer(Object.fromEntries(
        roles.map((one, i) => [NODES[i]!.host, one === "away" ? refused() : one]),
      ));
      const node = await found;
      const primaries = NODES.filter((_, i) => roles[i] === "primary");
      if (node === null) assert.equal(primaries.length, 0);
      else assert.ok(primaries.includes(node));
      if (node !== null && node === last) assert.deepEqual(primaries, [last]);
    }
  }));
});

const ON = { own: 1, state: "ONLINE", role: "PRIMARY" };
const other = (state: string, role = "SECONDARY") => ({ own: 0, state, role });

Deno.test("roleIn() believes a node that is in no group, unless it is read-only or offline", () => {
  assert.equal(roleIn(new Map([["read_only", "OFF"], ["super_read_only", "OFF"]]), []), "primary");
  assert.equal(roleIn(new Map(), []), "primary");
  for (const name of ["read_only", "super_read_only", "offline_mode"]) {
    assert.equal(roleIn(new Map([[name, "ON"]]), []), "read_only");
    assert.equal(roleIn(new Map([[name, "1"]]), [ON, other("ONLINE")]), "read_only");
  }
  assert.equal(roleIn(new Map(), [{ own: 1, state: "OFFLINE", role: "" }]), "primary");
});

Deno.test("roleIn() believes a primary that sees most of its group, and no other member", () => {
  assert.equal(roleIn(new Map(), [ON, other("ONLINE"), other("ONLINE")]), "primary");
  assert.equal(roleIn(new Map(), [ON, other("ONLINE"), other("UNREACHABLE")]), "primary");
  assert.equal(roleIn(new Map(), [ON, other("UNREACHABLE"), other("UNREACHABLE")]), "read_only");
  assert.equal(roleIn(new Map(), [ON, other("UNREACHABLE")]), "read_only");
  assert.equal(roleIn(new Map(), [{ ...ON, role: "SECONDARY" }, other("ONLINE", "PRIMARY")]), "read_only");
  for (const state of ["ERROR", "RECOVERING", "UNREACHABLE"]) {
    assert.equal(roleIn(new Map(), [{ ...ON, state }, other("ONLINE")]), "read_only");
  }
});
