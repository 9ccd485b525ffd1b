import assert from "node:assert/strict";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { CONFIG_VARIABLES, parseConfig } from "../../config.ts";
import document from "../../openapi.json" with { type: "json" };
import { parseDatabaseUrl } from "../../db/database_url.ts";
import { STORE_PAUSES_MS } from "../../service.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const read = (path: string) => Deno.readTextFileSync(`${root}/${path}`);

/** How long a stop of the service may take, in seconds. */
const STOP_SECONDS = 10;

// The parts of the API that the manifests make use of. A name that is not among them is a slip, which a cluster would
// refuse or, worse, ignore.
const Labels = z.strictObject({ app: z.literal("session-manager") });
const Metadata = z.strictObject({ name: z.literal("session-manager"), labels: Labels.optional() });
const Probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port: z.literal("http") }),
  periodSeconds: z.int(),
  timeoutSeconds: z.int().optional(),
  failureThreshold: z.int(),
});
const Container = z.strictObject({
  name: z.literal("session-manager"),
  image: z.string(),
  envFrom: z.tuple([z.strictObject({ secretRef: z.strictObject({ name: z.literal("session-manager") }) })]),
  env: z.array(z.strictObject({ name: z.enum(CONFIG_VARIABLES), value: z.string() })),
  ports: z.tuple([z.strictObject({ name: z.literal("http"), containerPort: z.int() })]),
  startupProbe: Probe,
  livenessProbe: Probe,
  readinessProbe: Probe,
  lifecycle: z.strictObject({
    preStop: z.strictObject({
      exec: z.strictObject({ command: z.tuple([z.literal("sleep"), z.string().regex(/^\d+$/)]) }),
    }),
  }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal("ALL")]) }),
  }),
  volumeMounts: z.tuple([z.strictObject({ name: z.literal("data"), mountPath: z.literal("/data") })])
    .optional(),
  resources: z.strictObject({
    requests: z.strictObject({ cpu: z.string(), memory: z.string() }),
    limits: z.strictObject({ memory: z.string() }),
  }),
});
const Deployment = z.strictObject({
  apiVersion: z.literal("apps/v1"),
  kind: z.literal("Deployment"),
  metadata: Metadata,
  spec: z.strictObject({
    replicas: z.int(),
    selector: z.strictObject({ matchLabels: Labels }),
    strategy: z.union([
      z.strictObject({ type: z.literal("Recreate") }),
      z.strictObject({
        type: z.literal("RollingUpdate"),
        rollingUpdate: z.strictObject({ maxUnavailable: z.int(), maxSurge: z.int() }),
      }),
    ]),
    template: z.strictObject({
      metadata: z.strictObject({ labels: Labels }),
      spec: z.strictObject({
        terminationGracePeriodSeconds: z.int(),
        automountServiceAccountToken: z.literal(false),
        securityContext: z.strictObject({
          runAsNonRoot: z.literal(true),
          runAsUser: z.int(),
          runAsGroup: z.int(),
          fsGroup: z.int().optional(),
          seccompProfile: z.strictObject({ type: z.literal("RuntimeDefault") }),
        }),
        containers: z.tuple([Container]),
        volumes: z.tuple([z.strictObject({
          name: z.literal("data"),
          persistentVolumeClaim: z.strictObject({ claimName: z.literal("session-manager") }),
        })]).optional(),
      }),
    }),
  }),
});
const Other = z.discriminatedUnion("kind", [
  z.strictObject({
    apiVersion: z.literal("v1"),
    kind: z.literal("Service"),
    metadata: Metadata,
    spec: z.strictObject({
      selector: Labels,
      ports: z.tuple([z.strictObject({ name: z.string(), port: z.int(), targetPort: z.literal("http") })]),
    }),
  }),
  z.strictObject({
    apiVersion: z.literal("policy/v1"),
    kind: z.literal("PodDisruptionBudget"),
    metadata: Metadata,
    spec: z.strictObject({ maxUnavailable: z.int(), selector: z.strictObject({ matchLabels: Labels }) }),
  }),
  z.strictObject({
    apiVersion: z.literal("v1"),
    kind: z.literal("PersistentVolumeClaim"),
    metadata: Metadata,
    spec: z.strictObject({
      accessModes: z.tuple([z.literal("ReadWriteOnce")]),
      resources: z.strictObject({ requests: z.strictObject({ storage: z.string() }) }),
    }),
  }),
]);

/** The deployment of a manifest; everything else in it has to be well-formed. */
function deploymentOf(path: string): z.infer<typeof Deployment> {
  const documents = parseAllDocuments(read(path));
  assert.ok(Array.isArray(documents));
  const [deployment, ...further] = documents.map((each) => each.toJS()).filter((each) => {
    if (each.kind === "Deployment") return true;
    Other.parse(each);
    return false;
  });
  assert.equal(further.length, 0);
  return Deployment.parse(deployment);
}

const MANIFESTS = {
  mysql: {
    path: "packaging/kubernetes.yaml",
    secret: { DATABASE_URL: "mysql://user:password@mysql:3306/session_manager" },
  },
  sqlite: { path: "packaging/kubernetes-sqlite.yaml", secret: {} },
} as const;
const KEYS = {
  HUB_API_KEY: "a-key-of-the-hub's",
  INTERNAL_API_KEY: "an-internal-key...",
  CREDENTIALS_KEY: btoa("k".repeat(32)),
};

for (const [dialect, { path, secret }] of Object.entries(MANIFESTS)) {
  const { replicas, strategy, template: { spec } } = deploymentOf(path).spec;
  const [container] = spec.containers;
  const environment = Object.fromEntries(container.env.map(({ name, value }) => [name, value]));

  Deno.test(`${path} makes a configuration that the service takes, of the Secret and of what is not secret`, () => {
    for (const name of Object.keys({ ...KEYS, ...secret })) {
      assert.ok(!(name in environment), `${name} belongs into the Secret`);
      assert.ok(read(path).split("apiVersion:")[0]!.includes(name), `${name} is named at the top`);
    }
    const config = parseConfig({ ...KEYS, ...secret, ...environment }, 2);
    assert.equal(config.host, "0.0.0.0");
    assert.equal(config.port, container.ports[0].containerPort);
    assert.equal(parseDatabaseUrl(config.databaseUrl).dialect, dialect);
  });

  Deno.test(`${path} asks paths that are there, waits for a start, and leaves a stop its time`, () => {
    const { startupProbe, livenessProbe, readinessProbe, lifecycle } = container;
    for (const { httpGet } of [startupProbe, livenessProbe, readinessProbe]) {
      assert.ok(Object.hasOwn(document.paths, httpGet.path), httpGet.path);
    }
    // A database that is away makes a pod unready, and is no reason to kill it.
    assert.equal(livenessProbe.httpGet.path, "/healthz");
    assert.equal(readinessProbe.httpGet.path, "/readyz");
    const startMs = STORE_PAUSES_MS.reduce((sum, pause) => sum + pause, 0);
    assert.ok(startupProbe.periodSeconds * startupProbe.failureThreshold * 1_000 > startMs * 1.5);
    const [, sleep] = lifecycle.preStop.exec.command;
    assert.ok(spec.terminationGracePeriodSeconds >= Number(sleep) + STOP_SECONDS + 2);
  });

  Deno.test(`${path} runs as the image's user, and as many processes as its database takes`, () => {
    const [, user] = /^USER (\d+):/m.exec(read("Dockerfile")) ?? [];
    assert.equal(spec.securityContext.runAsUser, Number(user));
    if (dialect === "mysql") {
      assert.ok(replicas > 1);
      assert.equal(strategy.type, "RollingUpdate");
      return;
    }
    assert.equal(replicas, 1);
    assert.equal(strategy.type, "Recreate");
    assert.equal(spec.securityContext.fsGroup, Number(user));
    const target = parseDatabaseUrl(environment.DATABASE_URL!);
    assert.ok(
      target.dialect === "sqlite" && target.path.startsWith(`${container.volumeMounts?.[0].mountPath}/`),
    );
    assert.equal(spec.volumes?.[0].name, container.volumeMounts?.[0].name);
  });
}
