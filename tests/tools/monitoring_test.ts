import assert from "node:assert/strict";
import { parse } from "yaml";
import dashboard from "../../packaging/grafana/dashboard.json" with { type: "json" };
import { parseConfig } from "../../config.ts";
import { FAULT_CODES } from "@session-manager/contract";
import { createMetrics } from "../../runtime/metrics.ts";
import { startService } from "../../service.ts";
import { programTest, run } from "../../lab/programs.ts";

const folder = new URL("../../packaging/prometheus", import.meta.url).pathname;
const yaml = (file: string) => parse(Deno.readTextFileSync(`${folder}/${file}`));

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

interface RuleTest {
  readonly input_series: readonly { readonly series: string }[];
  readonly alert_rule_test: readonly {
    readonly alertname: string;
    readonly exp_alerts?: readonly unknown[];
  }[];
}

const RULES: readonly Rule[] = yaml("alerts.yml").groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const RULE_TESTS: readonly RuleTest[] = yaml("alerts_test.yml").tests;

/** Every query of the dashboard, with what Grafana puts into it. */
const QUERIES = dashboard.panels.flatMap(({ id, targets }) =>
  targets.map(({ refId, expr }) => ({
    where: `panel:${id}:${refId}`,
    expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$instance", ".*"),
  }))
);

// ── What a service tells before anything has happened ────────────────────────────────────────────

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The labels of a selector or of a series: their names, how they are compared, their values. */
function labelsOf(text: string): { name: string; operator: string; value: string }[] {
  return [...text.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, name, operator, value]) => ({
    name: name!,
    operator: operator!,
    value: value!,
  }));
}

function readSeries(text: string): Series[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#")).map((line) => {
    const [, name, labels = "", value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line)!;
    return {
      name: name!,
      labels: Object.fromEntries(labelsOf(labels).map((label) => [label.name, label.value])),
      value: Number(value),
    };
  });
}

/** What `/metrics` tells of a service that has just started, on an empty database. */
async function freshSeries(): Promise<Series[]> {
  const nothing = () => {};
  const service = await startService({
    config: parseConfig({ DATABASE_URL: "sqlite::memory:", SOCKET_WORKERS: "1" }, 2),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  });
  try {
    return readSeries(await (await service.fetch(new Request("http://127.0.0.1/metrics"))).text());
  } finally {
    await service.stop();
  }
}

const FRESH = await freshSeries();

/** What Prometheus itself adds. */
const OUTER_LABELS = ["instance", "job"];

/** Every selector of a query, and for one with alternatives each of them. */
function selectorsOf(query: string): { name: string; labels: ReturnType<typeof labelsOf> }[] {
  return [...query.matchAll(/\b(session_manager_\w+)(?:\{([^}]*)\})?/g)].flatMap(([, name, text = ""]) => {
    let selectors = [{ name: name!, labels: [] as ReturnType<typeof labelsOf> }];
    for (const label of labelsOf(text).filter((each) => !OUTER_LABELS.includes(each.name))) {
      const values = label.operator === "=~" ? label.value.split("|") : [label.value];
      selectors = selectors.flatMap((selector) =>
        values.map((value) => ({ ...selector, labels: [...selector.labels, { ...label, value }] }))
      );
    }
    return selectors;
  });
}

function matches(series: Series, { name, labels }: ReturnType<typeof selectorsOf>[number]): boolean {
  return series.name === name && labels.every(({ name, operator, value }) => {
    const given = series.labels[name];
    if (given === undefined) return false;
    const isSame = operator.endsWith("~") ? new RegExp(`^(?:${value})$`).test(given) : given === value;
    return operator.startsWith("!") ? !isSame : isSame;
  });
}

for (
  const { where, expr } of [
    ...RULES.map(({ alert, expr }) => ({ where: `alert ${alert}`, expr })),
    ...QUERIES,
  ]
) {
  Deno.test(`${where} finds every series it names in a service that has just started`, () => {
    const selectors = selectorsOf(expr);
    const missing = selectors.filter((selector) => !FRESH.some((series) => matches(series, selector)));
    assert.deepEqual(missing, []);
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names]) => names!.split(/,\s*/));
    for (const label of grouped.filter((each) => !OUTER_LABELS.includes(each))) {
      assert.ok(
        selectors.some(({ name }) => FRESH.some((series) => series.name === name && label in series.labels)),
        label,
      );
    }
  });
}

Deno.test("a counter is there at 0 before anything has been counted", () => {
  const counted = FRESH.filter(({ name }) =>
    name.endsWith("_total") && name !== "session_manager_http_requests_total"
  );
  assert.ok(counted.length > 20);
  assert.deepEqual(counted.filter(({ value }) => value !== 0), []);
});

Deno.test("a process tells when it started, in seconds since 1970", () => {
  const started = FRESH.find(({ name }) => name === "session_manager_start_time_seconds")?.value ?? NaN;
  const hourAgo = Date.now() / 1_000 - 3_600;
  assert.ok(started > hourAgo && started < hourAgo + 7_200, String(started));
});

// ── Rules and dashboard ──────────────────────────────────────────────────────────────────────────

Deno.test("the rules' own tests see every alert come and stay away, over series that the service has", () => {
  const tested = RULE_TESTS.flatMap((test) => test.alert_rule_test);
  const fired = new Set(tested.filter((each) => each.exp_alerts?.length).map((each) => each.alertname));
  const quiet = new Set(tested.filter((each) => !each.exp_alerts?.length).map((each) => each.alertname));
  const alerts = RULES.map(({ alert }) => alert).sort();
  assert.deepEqual([...fired].sort(), alerts);
  assert.deepEqual([...quiet].sort(), alerts);
  for (const { series } of RULE_TESTS.flatMap((test) => test.input_series)) {
    for (const { name, labels } of selectorsOf(series)) {
      const known = FRESH.filter((each) => each.name === name);
      assert.ok(known.length > 0, series);
      assert.ok(labels.every((label) => known.some((each) => label.name in each.labels)), series);
    }
  }
});

Deno.test("every code with which a session ends in error raises an alert", () => {
  const codes = RULES.flatMap(({ expr }) => selectorsOf(expr)).filter(({ name }) =>
    name === "session_manager_disconnects_total"
  ).flatMap(({ labels }) => labels.map(({ value }) => value));
  assert.deepEqual([...new Set(codes)].sort(), [...FAULT_CODES].sort());
});

Deno.test("the dashboard shows every metric, over a data source that is chosen when it is loaded", async () => {
  const text = JSON.stringify(dashboard);
  const metrics = await createMetrics().registry.getMetricsAsJSON();
  assert.deepEqual(metrics.filter(({ name }) => !text.includes(name)), []);
  assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
  for (const { datasource, targets } of dashboard.panels) {
    assert.equal(datasource.uid, "${datasource}");
    assert.ok(targets.every(({ expr }) => expr.includes("$instance")));
  }
});

await programTest(
  "promtool",
  "promtool takes the rules and their tests, the scrape configuration, and the dashboard's queries",
  async () => {
    const queries = await Deno.makeTempFile({ suffix: ".json" });
    try {
      const rules = QUERIES.map(({ where, expr }) => ({ record: where, expr }));
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
);
