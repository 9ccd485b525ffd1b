/**
 * What becomes of logins, run over both dialects: every change, whatever is there, once and again.
 * @module
 */
import assert from "node:assert/strict";
import type { KyselyPlugin } from "kysely";
import fc from "fast-check";
import { connect } from "../../db/database.ts";
import { CredentialKeys, type Store } from "../../db/mod.ts";
import { SqlStore } from "../../db/store.ts";
import type { CredentialsChange } from "../../domain/credentials.ts";
import { StoreUnavailableError } from "../../sessions/ports/store.ts";
import { createSession, type Session } from "../../domain/session.ts";
import {
  adopt,
  dialectTest,
  key,
  KEYS,
  open,
  openCounted,
  over,
  query,
  record,
  saveNew,
  type TestDialect,
} from "../../lab/databases/helpers.ts";
import { type HeldLogin, type Holdings, holdingsOf, keysOf, NOTHING, whole } from "./holdings.ts";

const NOW = 1_767_530_096_789;
const KEEP: CredentialsChange = { kind: "keep" };
const CONFIRM: CredentialsChange = { kind: "confirm" };
const REVERT: CredentialsChange = { kind: "revert", retiredId: null };
const ERASE: CredentialsChange = { kind: "erase" };
const SUSPEND: CredentialsChange = { kind: "suspend", contested: false };
const CONTEST: CredentialsChange = { kind: "suspend", contested: true };
const pair = (login: string) => adopt(login, keysOf(login));
const revertAndRetire = (): CredentialsChange => ({ kind: "revert", retiredId: crypto.randomUUID() });
const retire = (): CredentialsChange => ({ kind: "retire", retiredId: crypto.randomUUID() });

/** The session as the nth write of a test leaves it. */
export const at = (instanceId: string, n: number): Session => ({
  ...createSession(instanceId, NOW),
  updatedAt: NOW + n,
});

/** Ways to begin: the changes that lead there, and what is there then. */
export const BEGINNINGS: Readonly<
  Record<string, { path: readonly (() => CredentialsChange)[]; holdings: Holdings }>
> = {
  "no login": { path: [], holdings: NOTHING },
  "a working login": {
    path: [() => pair("A")],
    holdings: { ...NOTHING, link: "working", current: whole("A") },
  },
  "a suspended login": {
    path: [() => pair("A"), () => SUSPEND],
    holdings: { ...NOTHING, link: "suspended", current: whole("A") },
  },
  "a contested login": {
    path: [() => pair("A"), () => CONTEST],
    holdings: { ...NOTHING, link: "suspended", current: whole("A") },
  },
  "a login that was contested once": {
    path: [() => pair("A"), () => CONTEST, () => SUSPEND],
    holdings: { ...NOTHING, link: "suspended", current: whole("A") },
  },
  "a login after a contested one": {
    path: [() => pair("Z"), () => CONTEST, () => pair("A"), () => SUSPEND],
    holdings: { ...NOTHING, link: "suspended", current: whole("A") },
  },
  "a held login": {
    path: [() => pair("A"), () => pair("B")],
    holdings: { link: "working", current: whole("B"), held: whole("A"), waiting: [] },
  },
  "a held login and a suspended one": {
    path: [() => pair("A"), () => pair("B"), () => SUSPEND],
    holdings: { link: "suspended", current: whole("B"), held: whole("A"), waiting: [] },
  },
  "a held login and a contested one": {
    path: [() => pair("A"), () => pair("B"), () => CONTEST],
    holdings: { link: "suspended", current: whole("B"), held: whole("A"), waiting: [] },
  },
  "a login that was taken up again": {
    path: [() => pair("A"), () => pair("B"), () => REVERT],
    holdings: { ...NOTHING, link: "working", current: whole("A") },
  },
};

type Outcomes = Readonly<Record<keyof typeof BEGINNINGS, Holdings | "as before">>;
const linked = (login: string, others: Partial<Holdings> = {}): Holdings => ({
  ...NOTHING,
  link: "working",
  current: whole(login),
  ...others,
});

/** What each change makes of each beginning. */
export const CHANGES: Readonly<Record<string, { change: () => CredentialsChange; outcomes: Outcomes }>> = {
  keep: { change: () => KEEP, outcomes: every("as before") },
  adopt: {
    change: () => pair("C"),
    outcomes: {
      "no login": linked("C"),
      "a working login": linked("C", { held: whole("A") }),
      "a suspended login": linked("C", { waiting: ["A"] }),
      "a contested login": linked("C"),
      "a login that was contested once": linked("C", { waiting: ["A"] }),
      "a login after a contested one": linked("C", { waiting: ["A"] }),
      "a held login": linked("C", { held: whole("A"), waiting: ["B"] }),
      "a held login and a suspended one": linked("C", { held: whole("A"), waiting: ["B"] }),
      "a held login and a contested one": linked("C", { held: whole("A") }),
      "a login that was taken up again": linked("C", { held: whole("A") }),
    },
  },
  confirm: {
    change: () => CONFIRM,
    outcomes: {
      ...every("as before"),
      "a held login": linked("B", { waiting: ["A"] }),
      "a held login and a suspended one": linked("B", { link: "suspended", waiting: ["A"] }),
      "a held login and a contested one": linked("B", { link: "suspended", waiting: ["A"] }),
    },
  },
  revert: {
    change: () => REVERT,
    outcomes: {
      ...every(NOTHING),
      "a held login": linked("A"),
      "a held login and a suspended one": linked("A"),
      "a held login and a contested one": linked("A"),
    },
  },
  "revert (retire)": {
    change: revertAndRetire,
    outcomes: {
      ...every({ ...NOTHING, waiting: ["A"] }),
      "no login": NOTHING,
      "a contested login": NOTHING,
      "a held login": linked("A", { waiting: ["B"] }),
      "a held login and a suspended one": linked("A", { waiting: ["B"] }),
      "a held login and a contested one": linked("A"),
    },
  },
  erase: {
    change: () => ERASE,
    outcomes: {
      ...every(NOTHING),
      "a held login": { ...NOTHING, waiting: ["A"] },
      "a held login and a suspended one": { ...NOTHING, waiting: ["A"] },
      "a held login and a contested one": { ...NOTHING, waiting: ["A"] },
    },
  },
  retire: {
    change: retire,
    outcomes: {
      ...every({ ...NOTHING, waiting: ["A"] }),
      "no login": NOTHING,
      "a contested login": NOTHING,
      "a held login": { ...NOTHING, waiting: ["A", "B"] },
      "a held login and a suspended one": { ...NOTHING, waiting: ["A", "B"] },
    },
  },
  suspend: { change: () => SUSPEND, outcomes: suspended() },
  "suspend (contested)": { change: () => CONTEST, outcomes: suspended() },
};

function every(outcome: Holdings | "as before"): Outcomes {
  return Object.fromEntries(Object.keys(BEGINNINGS).map((name) => [name, outcome]));
}

function suspended(): Outcomes {
  return Object.fromEntries(
    Object.entries(BEGINNINGS).map(([name, { holdings }]) =>
      [name, holdings.current === null ? holdings : { ...holdings, link: "suspended" }] as const
    ),
  );
}

/** What a change makes of a beginning. */
export function expected(change: string, beginning: string): Holdings {
  const outcome = CHANGES[change]!.outcomes[beginning]!;
  return outcome === "as before" ? BEGINNINGS[beginning]!.holdings : outcome;
}

/** Takes a new instance to a beginning. @returns how many writes that took */
export async function begin(store: Store, instanceId: string, beginning: string): Promise<number> {
  const { path } = BEGINNINGS[beginning]!;
  for (const [n, change] of path.entries()) await saveNew(store, at(instanceId, n), change());
  return path.length;
}

/** Declares the suite over one dialect. */
export function loginChangesSuite(dialect: TestDialect): void {
  const test = (name: string, body: (url: string) => Promise<void>) => dialectTest(dialect, name, body);

  for (const [name, { change }] of Object.entries(CHANGES)) {
    test(`save() with ${name} does the same whatever is there, once or twice`, async (url) => {
      await using store = await open(url);
      for (const beginning of Object.keys(BEGINNINGS)) {
        const n = await begin(store, beginning, beginning);
        assert.deepEqual(await holdingsOf(url, beginning), BEGINNINGS[beginning]!.holdings, beginning);
        const carriedOut = change();
        const session = at(beginning, n);
        for (const time of ["once", "twice"]) {
          await saveNew(store, session, carriedOut);
          const outcome = expected(name, beginning);
          assert.deepEqual(await holdingsOf(url, beginning), outcome, `${beginning}, ${time}`);
          assert.deepEqual(await store.find(beginning), {
            session,
            link: outcome.link,
            predecessor: outcome.held !== null,
          });
        }
      }
    });

    test(`save() with ${name} does all of it or nothing when any of its statements fails`, async (url) => {
      await using store = await open(url);
      const { failing, failAt } = await openFailing(url);
      await using _ = failing;
      for (const beginning of Object.keys(BEGINNINGS)) {
        for (let statement = 0;; statement++) {
          const instanceId = `${beginning} ${statement}`;
          const n = await begin(store, instanceId, beginning);
          await store.findOrCreate(instanceId, NOW);
          const before = await store.find(instanceId);
          const session = at(instanceId, n);
          const carriedOut = change();
          const reached = failAt(statement);
          if (!await refused(failing.save(session, carriedOut))) {
            assert.ok(!reached());
            assert.ok(statement > 0);
            break;
          }
          assert.deepEqual(await holdingsOf(url, instanceId), BEGINNINGS[beginning]!.holdings, instanceId);
          assert.deepEqual(await store.find(instanceId), before, instanceId);
          await failing.save(session, carriedOut);
          assert.deepEqual(await holdingsOf(url, instanceId), expected(name, beginning), instanceId);
        }
      }
    });
  }

  test("save() suspends a contested login for another reason when both happen in the same millisecond", async (url) => {
    await using store = await open(url);
    await saveNew(store, at("s", 0), pair("A"));
    await saveNew(store, at("s", 1), CONTEST);
    await saveNew(store, at("s", 1), SUSPEND);
    await saveNew(store, at("s", 2), retire());
    assert.deepEqual(await holdingsOf(url, "s"), { ...NOTHING, waiting: ["A"] });
  });

  test("save() moves a login that cannot be opened as it is, and back", async (url) => {
    {
      await using lost = await open(url, new CredentialKeys([key(2)]));
      for (const id of ["adopt", "retire", "erase"]) await saveNew(lost, at(id, 0), pair("A"));
    }
    await using store = await open(url);
    await saveNew(store, at("adopt", 1), pair("B"));
    assert.deepEqual(await holdingsOf(url, "adopt"), linked("B", { held: whole("A") }));
    await saveNew(store, at("adopt", 2), REVERT);
    assert.deepEqual(await holdingsOf(url, "adopt"), linked("A"));
    await saveNew(store, at("retire", 1), retire());
    assert.deepEqual(await holdingsOf(url, "retire"), { ...NOTHING, waiting: ["A"] });
    await saveNew(store, at("erase", 1), ERASE);
    assert.deepEqual(await holdingsOf(url, "erase"), NOTHING);
  });

  test("save() takes a held login back as it was, with none of the keys of the one before it", async (url) => {
    await using store = await open(url);
    await saveNew(store, at("s", 0), adopt("A", [{ type: "a", id: "1", value: "old" }]));
    await store.saveKeys("s", [
      { type: "a", id: "1", value: null },
      { type: "a", id: "2", value: "new" },
      { type: "b", id: "", value: "nameless" },
    ], "A, later");
    const before = await holdingsOf(url, "s");
    await saveNew(store, at("s", 1), pair("B"));
    await store.saveKeys("s", [{ type: "a", id: "3", value: "B's" }], "B, later");
    await saveNew(store, at("s", 2), REVERT);
    assert.deepEqual(await holdingsOf(url, "s"), before);
    assert.equal(await store.loadCredentials("s"), "A, later");
    assert.deepEqual(await store.loadKeys("s", "a", ["1", "2", "3"]), new Map([["2", "new"]]));
  });

  test("save() erases the login of a second revert, which has another session", async (url) => {
    await using store = await open(url);
    await begin(store, "s", "a held login");
    await saveNew(store, at("s", 10), REVERT);
    await saveNew(store, at("s", 11), REVERT);
    assert.deepEqual(await holdingsOf(url, "s"), NOTHING);
  });

  test("save() does not retire an adopted login when it is repeated after the one before was forgotten", async (url) => {
    await using store = await open(url);
    await begin(store, "s", "a suspended login");
    const change = pair("C");
    await saveNew(store, at("s", 10), change);
    await store.forgetRetiredLogin((change as { retiredId: string }).retiredId);
    await saveNew(store, at("s", 10), change);
    assert.deepEqual(await holdingsOf(url, "s"), linked("C"));
  });

  test("save() retires a login although an earlier one was contested, when an older version adopted it", async (url) => {
    await using store = await open(url);
    await begin(store, "s", "a contested login");
    // As a version does that does not know whose login is contested.
    await store.saveKeys("s", [], "older");
    await query(
      url,
      "update ll_whatsapp_links set standing = 'working', updated_at = '2026-01-05 00:00:00.001'",
    );
    await query(
      url,
      "update ll_whatsapp_links set standing = 'suspended', updated_at = '2026-01-05 00:00:00.002'",
    );
    await saveNew(store, at("s", 10), pair("C"));
    assert.deepEqual(await holdingsOf(url, "s"), linked("C", { waiting: ["older"] }));
  });

  test("save() touches no other instance", async (url) => {
    await using store = await open(url);
    await begin(store, "bystander", "a held login");
    for (
      const change of [pair("A"), pair("B"), CONTEST, pair("C"), REVERT, revertAndRetire(), retire(), ERASE]
    ) {
      await saveNew(store, at("s", 0), change);
    }
    assert.deepEqual(await holdingsOf(url, "bystander"), BEGINNINGS["a held login"]!.holdings);
  });

  test("listUnsettled() and findOrCreate() say whether an older login is held", async (url) => {
    await using store = await open(url);
    await begin(store, "plain", "a working login");
    await begin(store, "held", "a held login");
    const unsettled = await store.listUnsettled();
    assert.deepEqual(
      new Map(unsettled.map(({ session, predecessor }) => [session.instanceId, predecessor])),
      new Map([["plain", false], ["held", true]]),
    );
    assert.equal((await store.findOrCreate("held", NOW)).predecessor, true);
    assert.equal((await store.findOrCreate("plain", NOW)).predecessor, false);
  });

  test("save() with confirm sends two statements and no transaction when no login is held", async (url) => {
    const { store, statements } = await openCounted(url);
    await using _ = store;
    await begin(store, "s", "a working login");
    statements.length = 0;
    await store.save(at("s", 1), CONFIRM);
    assert.deepEqual(statements.map((statement) => statement.split(" ")[0]), ["select", "update"]);
    statements.length = 0;
    await store.find("s");
    assert.equal(statements.length, 1);
  });

  test("no login is lost, and none held twice, for any sequence of changes", async (url) => {
    await using store = await open(url);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 16 }), async (sequence) => {
        const history = new History(url, store, `run${run++}`);
        for (const step of sequence) {
          await history.take(step);
          await history.check();
        }
      }),
      { numRuns: dialect.name === "sqlite" ? 150 : 40 },
    );
  });
}

// ── Statements that fail ─────────────────────────────────────────────────────────────────────────

/** A store whose nth statement from now on fails, as if the database could not be reached any more. */
async function openFailing(url: string): Promise<{ failing: Store; failAt: (n: number) => () => boolean }> {
  let left = Infinity;
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      if (left-- === 0) throw Object.assign(new Error("cut off"), { code: "ETIMEDOUT" });
      return node;
    },
    transformResult: ({ result }) => Promise.resolve(result),
  };
  const database = await connect(url);
  const failing = new SqlStore(over(database, database.db.withPlugin(plugin)), KEYS);
  return {
    failing,
    failAt: (n) => {
      left = n;
      return () => left < 0;
    },
  };
}

async function refused(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    assert.ok(error instanceof StoreUnavailableError, String(error));
    return true;
  }
}

// ── A model of it ────────────────────────────────────────────────────────────────────────────────

type Change = Exclude<CredentialsChange["kind"], "suspend"> | "revert and retire";
type Step =
  | { kind: "change"; change: Change; twice: boolean }
  | { kind: "suspend"; contested: boolean; twice: boolean }
  | { kind: "keys"; id: string; value: string | null }
  | { kind: "forget" };

const steps: fc.Arbitrary<Step> = fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
  {
    weight: 6,
    arbitrary: record<Step & { kind: "change" }>({
      kind: fc.constant("change" as const),
      change: fc.constantFrom(
        ...[
          "keep",
          "adopt",
          "adopt",
          "adopt",
          "confirm",
          "revert",
          "revert and retire",
          "erase",
          "retire",
        ] as const,
      ),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: record<Step & { kind: "suspend" }>({
      kind: fc.constant("suspend" as const),
      contested: fc.boolean(),
      twice: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: record<Step & { kind: "keys" }>({
      kind: fc.constant("keys" as const),
      id: fc.constantFrom("1", "2"),
      value: fc.option(fc.string({ maxLength: 8 })),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "forget" }) },
);

function changeOf(change: Change, login: string): CredentialsChange {
  switch (change) {
    case "adopt":
      return pair(login);
    case "retire":
      return retire();
    case "revert":
      return REVERT;
    case "revert and retire":
      return revertAndRetire();
    default:
      return { kind: change };
  }
}

/** How a login came to its end. */
type End = "forgotten" | "gone" | "contested";

/** One instance, and what became of every login that it ever had. */
class History {
  readonly #url: string;
  readonly #store: Store;
  readonly #instanceId: string;
  readonly #ended = new Map<string, End>();
  readonly #adopted: string[] = [];
  #writes = 0;
  #link: Holdings["link"] = "none";
  #contested = false;
  #current: HeldLogin | null = null;
  #held: HeldLogin | null = null;
  #waiting: string[] = [];

  constructor(url: string, store: Store, instanceId: string) {
    this.#url = url;
    this.#store = store;
    this.#instanceId = instanceId;
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case "forget": {
        const rows = await query(
          this.#url,
          `select id from ll_whatsapp_retired_logins where instance_id = '${this.#instanceId}' and held is null`,
        );
        for (const { id } of rows.slice(0, 1)) {
          const login = await this.#store.loadRetiredLogin(id);
          await this.#store.forgetRetiredLogin(id);
          this.#waiting.splice(this.#waiting.indexOf(login!), 1);
          this.#end(login!, "forgotten");
        }
        return;
      }
      case "keys": {
        if (this.#current === null) return; // nobody writes keys without a login
        const { id, value } = step;
        await this.#store.saveKeys(this.#instanceId, [{ type: "session", id, value }]);
        const { [`session/${id}`]: _, ...others } = this.#current.keys;
        const keys = value === null ? others : { ...others, [`session/${id}`]: value };
        this.#current = { ...this.#current, keys };
        return;
      }
      case "suspend": {
        const { contested } = step;
        await this.#save({ kind: "suspend", contested }, step.twice);
        if (this.#link === "none") return;
        this.#link = "suspended";
        this.#contested = contested;
        return;
      }
      case "change": {
        const login = `login ${this.#adopted.length}`;
        await this.#save(changeOf(step.change, login), step.twice);
        return this.#apply(step.change, login);
      }
      default:
        return step satisfies never;
    }
  }

  #apply(change: Change, login: string): void {
    switch (change) {
      case "keep":
        return;
      case "adopt":
        if (this.#current !== null && !this.#contested && this.#link === "working" && this.#held === null) {
          this.#held = this.#current;
        } else this.#retireCurrent();
        this.#adopted.push(login);
        return this.#install(whole(login));
      case "confirm":
        return this.#release();
      case "revert":
        if (this.#current !== null) this.#end(this.#current.login, "gone");
        this.#install(this.#held);
        this.#held = null;
        return;
      case "revert and retire":
        this.#retireCurrent();
        this.#install(this.#held);
        this.#held = null;
        return;
      case "erase":
        if (this.#current !== null) this.#end(this.#current.login, "gone");
        this.#install(null);
        return this.#release();
      case "retire":
        this.#retireCurrent();
        this.#install(null);
        return this.#release();
      default:
        return change satisfies never;
    }
  }

  /** The database holds what the model does, and every login ever adopted is somewhere, or came to an end. */
  async check(): Promise<void> {
    const holdings = await holdingsOf(this.#url, this.#instanceId);
    assert.deepEqual(holdings, {
      link: this.#link,
      current: this.#current,
      held: this.#held,
      waiting: [...this.#waiting].sort(),
    });
    const places = [
      ...holdings.waiting,
      ...holdings.current === null ? [] : [holdings.current.login],
      ...holdings.held === null ? [] : [holdings.held.login],
      ...this.#ended.keys(),
    ];
    assert.deepEqual(places.sort(), [...this.#adopted].sort());
  }

  async #save(change: CredentialsChange, twice: boolean): Promise<void> {
    const session = at(this.#instanceId, this.#writes++);
    await saveNew(this.#store, session, change);
    if (twice) await saveNew(this.#store, session, change);
  }

  #install(login: HeldLogin | null): void {
    this.#current = login;
    this.#link = login === null ? "none" : "working";
    this.#contested = false;
  }

  #release(): void {
    if (this.#held !== null) this.#waiting.push(this.#held.login);
    this.#held = null;
  }

  #retireCurrent(): void {
    if (this.#current === null) return;
    if (this.#contested) this.#end(this.#current.login, "contested");
    else this.#waiting.push(this.#current.login);
  }

  #end(login: string, end: End): void {
    assert.ok(!this.#ended.has(login));
    this.#ended.set(login, end);
  }
}
