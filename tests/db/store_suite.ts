/**
 * The one suite of the store, run over both dialects.
 * @module
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Link } from "../../domain/snapshot.ts";
import type { CredentialsChange, KeyWrite } from "../../domain/credentials.ts";
import {
  CredentialsUnreadableError,
  SessionMissingError,
  type StoredSession,
  StoreUnavailableError,
} from "../../sessions/ports/store.ts";
import { createSession, type Session } from "../../domain/session.ts";
import { CredentialKeys } from "../../db/mod.ts";
import {
  adopt,
  dialectTest,
  key,
  KEYS,
  open,
  openCounted,
  query,
  record,
  saveNew,
  sessions,
  type TestDialect,
} from "../../lab/databases/helpers.ts";

const NOW = 1_767_530_096_789;
const KEEP: CredentialsChange = { kind: "keep" };
/** Declares the suite over one dialect. */
export function storeSuite(dialect: TestDialect): void {
  const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);

  test("find() gives null when there is no session", async (url) => {
    await using store = await open(url);
    assert.equal(await store.find("sender_51"), null);
  });

  test("findOrCreate() creates an init session with milliseconds when there is none", async (url) => {
    await using store = await open(url);
    const expected: StoredSession = {
      session: createSession("sender_51", NOW),
      link: "none",
      predecessor: false,
    };
    assert.deepEqual(await store.findOrCreate("sender_51", NOW), expected);
    assert.deepEqual(await store.findOrCreate("sender_51", NOW + 1), expected);
    assert.deepEqual(await store.find("sender_51"), expected);
  });

  test("findOrCreate() gives every caller the same session when many ask through two stores", async (url) => {
    await using one = await open(url);
    await using two = await open(url);
    const calls = Array.from({ length: 40 }, (_, n) => (n % 2 ? one : two).findOrCreate("s", NOW + n));
    const created = new Set((await Promise.all(calls)).map(({ session }) => session.createdAt));
    assert.equal(created.size, 1);
    const [row] = await query(url, "select count(*) as n from ll_whatsapp_qr_sessions");
    assert.equal(Number(row.n), 1);
  });

  test("find() tells instances apart when only the case of their names differs", async (url) => {
    await using store = await open(url);
    await store.findOrCreate("Sender", NOW);
    assert.equal(await store.find("sender"), null);
    await store.findOrCreate("sender", NOW + 1);
    assert.equal((await store.find("Sender"))?.session.createdAt, NOW);
    assert.equal((await store.find("sender"))?.session.createdAt, NOW + 1);
  });

  test("save() writes nothing when the session has been deleted, whatever becomes of its login", async (url) => {
    await using store = await open(url);
    const retiredId = "retired-1";
    const changes: CredentialsChange[] = [
      KEEP,
      adopt("login", [{ type: "session", id: "k", value: "v" }]),
      { kind: "confirm" },
      { kind: "revert", retiredId },
      { kind: "erase" },
      { kind: "retire", retiredId },
      { kind: "suspend", contested: false },
    ];
    for (const change of changes) {
      await assert.rejects(store.save(createSession("s", NOW), change), SessionMissingError, change.kind);
    }
    assert.equal(await store.find("s"), null);
    for (const table of ["credentials", "links", "retired_logins", "held_keys"]) {
      assert.deepEqual(await query(url, `select * from ll_whatsapp_${table}`), [], table);
    }
  });

  test("save() sends one statement when credentials are kept and the row is there", async (url) => {
    const { store, statements } = await openCounted(url);
    await using _ = store;
    await store.findOrCreate("s", NOW);
    statements.length = 0;
    await store.save({ ...createSession("s", NOW), updatedAt: NOW + 1 }, KEEP);
    await store.save({ ...createSession("s", NOW), updatedAt: NOW + 1 }, KEEP); // the same again is found as well
    assert.equal(statements.length, 2);
    assert.ok(statements.every((statement) => statement.startsWith("update")));
  });

  test("save() keeps the row's id when it is repeated", async (url) => {
    await using store = await open(url);
    for (let n = 0; n < 5; n++) await saveNew(store, createSession("s", NOW + n), KEEP);
    await saveNew(store, createSession("t", NOW), KEEP);
    const rows = await query(url, "select id, instance_id from ll_whatsapp_qr_sessions order by id");
    assert.deepEqual(rows.map((row) => [Number(row.id), row.instance_id]), [[1, "s"], [2, "t"]]);
  });

  test("save() replaces every credential when a pairing is adopted", async (url) => {
    await using store = await open(url);
    await store.saveKeys("s", [{ type: "session", id: "old", value: "o" }], "old login");
    await store.saveKeys("t", [{ type: "session", id: "old", value: "t" }], "t's login");
    await saveNew(
      store,
      createSession("s", NOW),
      adopt("new login", [
        { type: "session", id: "new", value: "n" },
        { type: "session", id: "never", value: null },
      ]),
    );
    assert.equal((await store.find("s"))?.link, "working");
    assert.equal(await store.loadCredentials("s"), "new login");
    assert.deepEqual(
      await store.loadKeys("s", "session", ["old", "new", "never"]),
      new Map([["new", "n"]]),
    );
    assert.equal(await store.loadCredentials("t"), "t's login");
  });

  test("save() erases credentials and link when a link ends", async (url) => {
    await using store = await open(url);
    await saveNew(store, createSession("s", NOW), adopt("login", [{ type: "session", id: "k", value: "v" }]));
    await saveNew(store, createSession("s", NOW), { kind: "erase" });
    assert.equal((await store.find("s"))?.link, "none");
    assert.equal(await store.loadCredentials("s"), null);
    assert.equal((await store.loadKeys("s", "session", ["k"])).size, 0);
    assert.deepEqual(await query(url, "select * from ll_whatsapp_credentials"), []);
  });

  test("save() keeps credentials when a link is suspended, and adopt makes it work again", async (url) => {
    await using store = await open(url);
    await saveNew(store, createSession("s", NOW), { kind: "suspend", contested: false });
    assert.equal((await store.find("s"))?.link, "none"); // there is nothing to suspend
    await saveNew(store, createSession("s", NOW), adopt("login"));
    await saveNew(store, createSession("s", NOW), { kind: "suspend", contested: false });
    assert.equal((await store.find("s"))?.link, "suspended");
    assert.equal(await store.loadCredentials("s"), "login");
    await saveNew(store, createSession("s", NOW), adopt("another"));
    assert.equal((await store.find("s"))?.link, "working");
  });

  test("listUnsettled() gives working links, connecting sessions and generated QRs when asked", async (url) => {
    await using store = await open(url);
    await store.findOrCreate("idle", NOW);
    const connecting: Session = {
      ...createSession("connecting", NOW),
      status: "connecting",
      qr: { status: "none" },
      lastError: null,
    };
    const showing: Session = {
      ...createSession("showing", NOW),
      status: "qr_required",
      qr: { status: "generated", string: "data:", generatedAt: NOW, expiresAt: NOW + 60_000 },
      lastError: null,
    };
    await saveNew(store, connecting, KEEP);
    await saveNew(store, showing, KEEP);
    await saveNew(store, createSession("linked", NOW), adopt("login"));
    await saveNew(store, { ...connecting, instanceId: "both" }, adopt("login"));
    await saveNew(store, createSession("suspended", NOW), adopt("login"));
    await saveNew(store, createSession("suspended", NOW), { kind: "suspend", contested: false });
    const found = new Map(
      (await store.listUnsettled()).map(({ session, link }) => [session.instanceId, link]),
    );
    assert.deepEqual(
      found,
      new Map<string, Link>([
        ["connecting", "none"],
        ["showing", "none"],
        ["both", "working"],
        ["linked", "working"],
      ]),
    );
  });

  test("loadKeys() leaves out what is not stored, and tells names apart byte for byte", async (url) => {
    await using store = await open(url);
    const names = [
      "a",
      "A",
      "a ",
      "á",
      "a\u0301",
      "\uFEFFa",
      "😀",
      'it\'s "quoted" \\ ?',
      "g@g.us::5491@s.net::0",
    ];
    await store.saveKeys("s", names.map((id, n) => ({ type: "session", id, value: `value ${n}` })));
    const expected = new Map(names.map((id, n) => [id, `value ${n}`]));
    assert.deepEqual(await store.loadKeys("s", "session", [...names, "b", ""]), expected);
    assert.equal((await store.loadKeys("s", "pre-key", names)).size, 0);
    assert.equal((await store.loadKeys("t", "session", names)).size, 0);
    assert.equal((await store.loadKeys("s", "session", [])).size, 0);
  });

  test("saveKeys() writes, writes over and erases in one go when given all of it", async (url) => {
    await using store = await open(url);
    await store.saveKeys("s", [{ type: "a", id: "1", value: "x" }, { type: "a", id: "2", value: "y" }]);
    await store.saveKeys("s", [
      { type: "a", id: "1", value: null },
      { type: "a", id: "2", value: "z" },
      { type: "b", id: "2", value: "first" },
      { type: "b", id: "2", value: "last" },
      { type: "b", id: "absent", value: null },
    ], "login");
    assert.deepEqual(await store.loadKeys("s", "a", ["1", "2"]), new Map([["2", "z"]]));
    assert.deepEqual(await store.loadKeys("s", "b", ["2", "absent"]), new Map([["2", "last"]]));
    assert.equal(await store.loadCredentials("s"), "login");
  });

  test("saveKeys() removes the rows when everything is erased", async (url) => {
    await using store = await open(url);
    await store.saveKeys("s", [{ type: "a", id: "1", value: "x" }, { type: "b", id: "1", value: "y" }]);
    await store.saveKeys("s", [{ type: "a", id: "1", value: null }, { type: "b", id: "1", value: null }]);
    assert.deepEqual(await query(url, "select * from ll_whatsapp_credentials"), []);
  });

  test("saveKeys() refuses a type that is the login's own", async (url) => {
    await using store = await open(url);
    await assert.rejects(store.saveKeys("s", [{ type: "creds", id: "", value: "x" }]), RangeError);
    assert.equal((await store.loadKeys("s", "creds", [""])).size, 0);
  });

  test("saveKeys() sends one statement and no transaction when there are 800 keys", async (url) => {
    const { store, statements } = await openCounted(url);
    await using _ = store;
    const keys = Array.from({ length: 800 }, (_, n) => ({
      type: "pre-key",
      id: `${n}`,
      value: n % 10 === 0 ? null : `value ${n}`,
    }));
    await store.saveKeys("s", keys, "login");
    assert.equal(statements.length, 1);
    const stored = await store.loadKeys("s", "pre-key", keys.map(({ id }) => id));
    assert.equal(stored.size, 720);
    assert.equal(stored.get("799"), "value 799");
  });

  test("saveKeys() stays whole when the set is too large for one statement", async (url) => {
    const { store, statements } = await openCounted(url);
    await using _ = store;
    const keys = Array.from({ length: 5_200 }, (_, n) => ({ type: "pre-key", id: `${n}`, value: `${n}` }));
    await store.saveKeys("s", keys);
    assert.equal(statements.length, 4); // begin, two inserts, commit
    assert.equal((await store.loadKeys("s", "pre-key", keys.map(({ id }) => id))).size, 5_200);
  });

  test("saveKeys() keeps a value of a megabyte whole", async (url) => {
    await using store = await open(url);
    const value = "á\0'".repeat(350_000);
    await store.saveKeys("s", [{ type: "app-state-sync-version", id: "regular", value }]);
    const stored = await store.loadKeys("s", "app-state-sync-version", ["regular"]);
    assert.ok(stored.get("regular") === value);
  });

  test("openStore() purges erased keys and keeps the others when it is opened again", async (url) => {
    {
      await using store = await open(url);
      await store.saveKeys("s", [{ type: "a", id: "1", value: null }, { type: "a", id: "2", value: "y" }]);
      const [before] = await query(url, "select count(*) as n from ll_whatsapp_credentials");
      assert.equal(Number(before.n), 2);
    }
    await using store = await open(url);
    const [after] = await query(url, "select count(*) as n from ll_whatsapp_credentials");
    assert.equal(Number(after.n), 1);
    assert.deepEqual(await store.loadKeys("s", "a", ["1", "2"]), new Map([["2", "y"]]));
  });

  test("loadCredentials() refuses and leaves the row when the key is another", async (url) => {
    {
      await using store = await open(url);
      await store.saveKeys("s", [{ type: "a", id: "1", value: "x" }], "login");
    }
    {
      await using store = await open(url, new CredentialKeys([key(2)]));
      await assert.rejects(store.loadCredentials("s"), CredentialsUnreadableError);
      await assert.rejects(store.loadKeys("s", "a", ["1"]), CredentialsUnreadableError);
    }
    await using store = await open(url, new CredentialKeys([key(2), key(1)]));
    assert.equal(await store.loadCredentials("s"), "login");
  });

  test("loadCredentials() refuses when a row was moved from another instance", async (url) => {
    await using store = await open(url);
    await store.saveKeys("s", [], "login");
    await query(url, "update ll_whatsapp_credentials set instance_id = 't'");
    await assert.rejects(store.loadCredentials("t"), CredentialsUnreadableError);
  });

  test("the database holds no credential in plain text when keys are saved", async (url) => {
    await using store = await open(url);
    await saveNew(
      store,
      createSession("s", NOW),
      adopt("a secret login", [{ type: "a", id: "1", value: "a secret key" }]),
    );
    for (const row of await query(url, "select sealed from ll_whatsapp_credentials")) {
      assert.ok(!new TextDecoder("latin1").decode(row.sealed).includes("secret"));
    }
  });

  test("close() waits for what is running, and later calls are unavailable", async (url) => {
    const store = await open(url);
    await store.findOrCreate("s", NOW);
    const saved = store.save(createSession("s", NOW), adopt("login"));
    await store.close();
    await saved;
    await assert.rejects(store.find("s"), StoreUnavailableError);
    await assert.rejects(async () => await store.outline("s"), StoreUnavailableError);
    await assert.rejects(store.ping(), StoreUnavailableError);
    await store.close();
  });

  test("find() gives what save() was given, for any session", async (url) => {
    await using store = await open(url);
    await fc.assert(
      fc.asyncProperty(sessions("s"), async (session) => {
        await saveNew(store, session, KEEP);
        assert.deepEqual((await store.find("s"))?.session, session);
      }),
      { numRuns: 60 },
    );
  });

  test("outline() gives of each session what find() gives, whoever else asks at the same time", async (url) => {
    await using store = await open(url);
    const names = Array.from({ length: 80 }, (_, n) => `s${n}`);
    const written = names.filter((_, n) => n % 4 > 0);
    for (const name of written) await saveNew(store, fc.sample(sessions(name), 1)[0]!, KEEP);
    const asked = [...names, ...names.toReversed(), "S1"];
    const outlines = await Promise.all(asked.map((name) => store.outline(name)));
    for (const [i, name] of asked.entries()) {
      const outline = outlines[i];
      const stored = await store.find(name);
      assert.equal(outline === null, stored === null, name);
      if (!outline || !stored) continue;
      const { session: { instanceId, status, qr } } = stored;
      assert.deepEqual(
        { instanceId: outline.instanceId, status: outline.status, qr: outline.qr },
        { instanceId, status, qr },
      );
    }
    assert.equal(outlines.filter((outline) => outline !== null).length, 2 * written.length);
    assert.equal(outlines.at(-1), null);
  });

  test("outline() fails for a row that is none of the contract's, and for no other beside it", async (url) => {
    await using store = await open(url);
    for (const name of ["bad", "good"]) await store.findOrCreate(name, NOW);
    await query(url, "update ll_whatsapp_qr_sessions set status = 'asleep' where instance_id = 'bad'");
    const read = async (name: string) => await store.outline(name);
    const [first, bad, good] = await Promise.allSettled([read("good"), read("bad"), read("good")]);
    assert.deepEqual([first, bad, good].map(({ status }) => status), ["fulfilled", "rejected", "fulfilled"]);
  });

  test("the store behaves as a plain map does, for any sequence of writes", async (url) => {
    await using store = await open(url, KEYS);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 12 }), async (sequence) => {
        const prefix = `run${run++}-`;
        const model = new Map<string, Model>();
        for (const step of sequence) await takeStep(store, model, prefix, step);
        for (const name of INSTANCES) await compare(store, model, `${prefix}${name}`);
      }),
      { numRuns: 30 },
    );
  });
}

interface Model {
  session: Session | null;
  link: Link;
  predecessor: boolean;
  credentials: string | null;
  keys: Map<string, string>;
}

const INSTANCES = ["a", "b"] as const;
const TYPES = ["session", "pre-key"] as const;
const IDS = ["1", "2", "3"] as const;

const keyWrites = fc.array(
  record({ type: fc.constantFrom(...TYPES), id: fc.constantFrom(...IDS), value: fc.option(fc.string()) }),
  { maxLength: 4 },
);
const changes: fc.Arbitrary<PlainChange> = fc.oneof(
  fc.constantFrom<PlainChange>({ kind: "keep" }, { kind: "erase" }, { kind: "suspend", contested: false }),
  record({
    kind: fc.constant("adopt" as const),
    credentials: fc.string(),
    keys: keyWrites,
    retiredId: fc.uuid(),
  }),
);
/** The others are `login_changes_suite.ts`'s. */
type PlainChange = Extract<CredentialsChange, { kind: "keep" | "erase" | "suspend" | "adopt" }>;
type Step =
  | { instance: string; kind: "save"; session: Session; change: PlainChange }
  | { instance: string; kind: "keys"; keys: KeyWrite[]; credentials: string | undefined }
  | { instance: string; kind: "findOrCreate"; now: number };
const steps: fc.Arbitrary<Step> = fc.oneof(
  record({
    instance: fc.constantFrom(...INSTANCES),
    kind: fc.constant("save" as const),
    session: sessions(""),
    change: changes,
  }),
  record({
    instance: fc.constantFrom(...INSTANCES),
    kind: fc.constant("keys" as const),
    keys: keyWrites,
    credentials: fc.option(fc.string(), { nil: undefined }),
  }),
  record({
    instance: fc.constantFrom(...INSTANCES),
    kind: fc.constant("findOrCreate" as const),
    now: fc.constantFrom(NOW, NOW + 1),
  }),
);

async function takeStep(
  store: Awaited<ReturnType<typeof open>>,
  models: Map<string, Model>,
  prefix: string,
  step: Step,
): Promise<void> {
  const instanceId = `${prefix}${step.instance}`;
  const model: Model = models.get(instanceId) ??
    { session: null, link: "none", predecessor: false, credentials: null, keys: new Map() };
  models.set(instanceId, model);
  switch (step.kind) {
    case "save":
      model.session = { ...step.session, instanceId };
      await saveNew(store, model.session, step.change);
      return applyChange(model, step.change);
    case "keys":
      await store.saveKeys(instanceId, step.keys, step.credentials);
      model.credentials = step.credentials ?? model.credentials;
      return applyKeys(model, step.keys);
    case "findOrCreate":
      model.session ??= createSession(instanceId, step.now);
      assert.deepEqual(await store.findOrCreate(instanceId, step.now), {
        session: model.session,
        link: model.link,
        predecessor: model.predecessor,
      });
      return;
    default:
      return step satisfies never;
  }
}

function applyChange(model: Model, change: PlainChange): void {
  switch (change.kind) {
    case "keep":
      return;
    case "suspend":
      if (model.link !== "none") model.link = "suspended";
      return;
    case "erase":
      Object.assign(model, { link: "none", predecessor: false, credentials: null, keys: new Map() });
      return;
    case "adopt":
      model.predecessor ||= model.link === "working";
      Object.assign(model, { link: "working", credentials: change.credentials, keys: new Map() });
      return applyKeys(model, change.keys);
    default:
      return change satisfies never;
  }
}

function applyKeys(model: Model, writes: readonly KeyWrite[]): void {
  for (const { type, id, value } of writes) {
    if (value === null) model.keys.delete(`${type}/${id}`);
    else model.keys.set(`${type}/${id}`, value);
  }
}

async function compare(
  store: Awaited<ReturnType<typeof open>>,
  models: Map<string, Model>,
  instanceId: string,
): Promise<void> {
  const model = models.get(instanceId);
  const found = await store.find(instanceId);
  assert.deepEqual(
    found,
    model?.session ? { session: model.session, link: model.link, predecessor: model.predecessor } : null,
  );
  assert.equal(await store.loadCredentials(instanceId), model?.credentials ?? null);
  for (const type of TYPES) {
    const expected = new Map(IDS.flatMap((id) => {
      const value = model?.keys.get(`${type}/${id}`);
      return value === undefined ? [] : [[id, value] as const];
    }));
    assert.deepEqual(await store.loadKeys(instanceId, type, IDS), expected);
  }
}
