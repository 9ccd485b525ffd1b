/**
 * Which route a request asks for, by Hono's router: one look for all methods of a path.
 * @module
 */
import type { ParamIndexMap, Params, ParamStash } from "hono/router";
import { RegExpRouter } from "hono/router/reg-exp-router";
import { SmartRouter } from "hono/router/smart-router";
import { TrieRouter } from "hono/router/trie-router";
import { getPath, tryDecodeURIComponent } from "hono/utils/url";
import type { Role } from "./keys.ts";
import type { Resource, Route } from "./route.ts";

/** What the guards need to know of a place, whether a route is there or not. */
interface PlaceFacts {
  /** The pattern of the path, which names no instance; `none` for all paths that no route has. */
  readonly pattern: string;
  readonly role: Role;
  readonly isApi: boolean;
}

/** A route. */
export interface RoutePlace extends PlaceFacts {
  readonly kind: "route";
  readonly route: Route;
}

/** Where a request leads. */
export type Place =
  | RoutePlace
  /** The path has routes, and none for this method. */
  | (PlaceFacts & { readonly kind: "wrong_method"; readonly allow: string })
  /** No route has this path. */
  | (PlaceFacts & { readonly kind: "unknown" });

/** A place, and what the path says in its parameters, decoded. */
export interface Match {
  readonly place: Place;
  readonly params: Readonly<Record<string, string>>;
}

/** All methods of one path. */
interface Path {
  readonly routes: Map<string, RoutePlace>;
  readonly other: Place;
}

/** The router tells methods apart no better than this: a path's own table says which it has. */
const ANY = "ALL";
const NO_PARAMS = {};
const NOWHERE: Place = { kind: "unknown", pattern: "none", role: "anyone", isApi: false };

/** The place of every route. */
export function placesOf(resources: readonly Resource[]): RoutePlace[] {
  return resources.flatMap(({ under, isApi, routes }) =>
    routes.map((route): RoutePlace => ({
      kind: "route",
      pattern: `${under}${route.path.replaceAll(/\{(.+?)\}/g, ":$1")}`,
      role: route.role,
      isApi,
      route,
    }))
  );
}

/** Finds the place that a request leads to. Of two paths that fit the one that is named first counts. */
export function createMatcher(
  resources: readonly Resource[],
): (request: Pick<Request, "method" | "url">) => Match {
  const router = new SmartRouter<Path>({ routers: [new RegExpRouter(), new TrieRouter()] });
  const byPattern = Map.groupBy(placesOf(resources), ({ pattern }) => pattern);
  for (const [pattern, places] of byPattern) router.add(ANY, pattern, pathOf(places));
  for (const { under, role, isApi } of resources.toSorted((a, b) => b.under.length - a.under.length)) {
    if (under !== "") {
      router.add(ANY, `${under}/*`, { routes: new Map(), other: { ...NOWHERE, role, isApi } });
    }
  }
  router.add(ANY, "/*", { routes: new Map(), other: NOWHERE });

  return (request) => {
    // What a method in small letters names is another method.
    const method = request.method === "HEAD" ? "GET" : request.method;
    const result = router.match(ANY, getPath(request as Request));
    const match = result[0][0];
    if (match === undefined) return { place: NOWHERE, params: NO_PARAMS };
    const path = match[0];
    return { place: path.routes.get(method) ?? path.other, params: paramsOf(match[1], result[1]) };
  };
}

/**
 * What a path says, decoded.
 * @param found the value of each parameter, or where among the values it is
 */
function paramsOf(found: ParamIndexMap | Params, values: ParamStash | undefined): Record<string, string> {
  const params: Record<string, string> = {};
  for (const name in found) {
    const value = values === undefined ? found[name] as string : values[found[name] as number]!;
    params[name] = value.includes("%") ? tryDecodeURIComponent(value) : value;
  }
  return params;
}

/** A method that the path does not have is guarded like the first that it has. */
function pathOf(places: readonly RoutePlace[]): Path {
  const [{ pattern, role, isApi }] = places as [RoutePlace];
  const methods = places.flatMap(({ route: { method } }) => method === "GET" ? ["GET", "HEAD"] : [method]);
  return {
    routes: new Map(places.map((place) => [place.route.method, place])),
    other: { kind: "wrong_method", pattern, role, isApi, allow: methods.join(", ") },
  };
}
