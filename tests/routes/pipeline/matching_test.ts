import assert from "node:assert/strict";
import { createMatcher, placesOf } from "../../../routes/pipeline/matching.ts";
import { json } from "../../../routes/pipeline/reply.ts";
import { type Method, type Resource, type Route, route } from "../../../routes/pipeline/route.ts";
import type { Role } from "../../../routes/pipeline/keys.ts";

const at = (method: Method, path: string, role: Role = "hub"): Route =>
  route({ method, path, role, handle: () => json(path) });

const RESOURCES: readonly Resource[] = [
  {
    under: "/api/things",
    role: "hub",
    isApi: true,
    routes: [
      at("GET", ""),
      at("GET", "/newest"),
      at("GET", "/{id}"),
      at("DELETE", "/{id}"),
      at("PUT", "/{id}/parts/{part}"),
    ],
  },
  { under: "/api", role: "anyone", isApi: true, routes: [] },
  {
    under: "",
    role: "anyone",
    isApi: false,
    routes: [at("GET", "/healthz", "anyone"), at("GET", "/metrics", "internal")],
  },
];

const match = createMatcher(RESOURCES);
const matched = (method: string, path: string) => match({ method, url: `http://localhost${path}` });

Deno.test("createMatcher() finds a route by method and path, and what the path says", () => {
  for (
    const [method, path, pattern, params] of [
      ["GET", "/api/things", "/api/things", {}],
      ["GET", "/api/things/newest", "/api/things/newest", {}],
      ["GET", "/api/things/a", "/api/things/:id", { id: "a" }],
      ["HEAD", "/api/things/a", "/api/things/:id", { id: "a" }],
      ["GET", "/api/things/a?b=/c#d", "/api/things/:id", { id: "a" }],
      ["DELETE", "/api/things/%61%2f%zz", "/api/things/:id", { id: "a/%zz" }],
      ["GET", "/%61pi/things/a", "/api/things/:id", { id: "a" }],
      ["PUT", "/api/things/a/parts/1", "/api/things/:id/parts/:part", { id: "a", part: "1" }],
      ["GET", "/healthz", "/healthz", {}],
    ] as const
  ) {
    const { place, params: found } = matched(method, path);
    assert.equal(place.kind, "route", path);
    assert.equal(place.pattern, pattern);
    assert.deepEqual({ ...found }, params);
    assert.equal(place.kind === "route" && place.route.method, method === "HEAD" ? "GET" : method);
  }
});

Deno.test("createMatcher() tells which methods a path has when it lacks this one, guarded like the first", () => {
  for (
    const [method, path, allow, role, isApi] of [
      ["PUT", "/api/things/a", "GET, HEAD, DELETE", "hub", true],
      ["get", "/api/things/a", "GET, HEAD, DELETE", "hub", true],
      ["POST", "/api/things/newest", "GET, HEAD", "hub", true],
      ["HEAD", "/api/things/a/parts/1", "PUT", "hub", true],
      ["POST", "/metrics", "GET, HEAD", "internal", false],
    ] as const
  ) {
    const { place } = matched(method, path);
    assert.deepEqual(
      {
        kind: place.kind,
        allow: place.kind === "wrong_method" && place.allow,
        role: place.role,
        isApi: place.isApi,
      },
      { kind: "wrong_method", allow, role, isApi },
      `${method} ${path}`,
    );
  }
});

Deno.test("createMatcher() guards a path that no route has like its resource", () => {
  for (
    const [path, role, isApi] of [
      ["/api/things/", "hub", true],
      ["/api/things/a/b", "hub", true],
      ["/api/things/a/", "hub", true],
      ["/api/thingsa", "anyone", true],
      ["/api", "anyone", true],
      ["/apis", "anyone", false],
      ["/healthz/", "anyone", false],
      ["/metrics/x", "anyone", false],
      ["//healthz", "anyone", false],
      ["/", "anyone", false],
      ["*", "anyone", false],
      ["", "anyone", false],
    ] as const
  ) {
    const { place } = matched("GET", path);
    assert.deepEqual(place, { kind: "unknown", pattern: "none", role, isApi }, path);
  }
});

Deno.test("placesOf() tells the pattern of every route", () => {
  assert.deepEqual(placesOf(RESOURCES).map(({ pattern, route: { method } }) => `${method} ${pattern}`), [
    "GET /api/things",
    "GET /api/things/newest",
    "GET /api/things/:id",
    "DELETE /api/things/:id",
    "PUT /api/things/:id/parts/:part",
    "GET /healthz",
    "GET /metrics",
  ]);
});
