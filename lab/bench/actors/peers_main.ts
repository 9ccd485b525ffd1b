/**
 * What HTTP is measured against, servers with nothing in them: `peers_main.ts <deno|hono> <size>` answers a
 * constant of so many bytes, through `Deno.serve` alone or through one Hono route with a parameter, which reads
 * `Authorization`: nobody answers a caller with a key without it.
 * @module
 */
import { type Context, Hono } from "hono";
import { announce } from "./commands.ts";

const [kind, size] = Deno.args;

/** An object whose JSON is of the size. */
const constant = { answer: "x".repeat(Number(size) - '{"answer":""}'.length) };

function bareDeno(): () => Response {
  const text = JSON.stringify(constant);
  const headers = { "content-type": "application/json" };
  return () => new Response(text, { headers });
}

function bareHono(): Deno.ServeHandler {
  const app = new Hono();
  const answer = (c: Context) =>
    c.req.header("authorization") === undefined ? c.body(null, 401) : c.json(constant);
  app.get("/:id", answer);
  app.post("/:id", answer);
  return app.fetch;
}

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: announce },
  kind === "deno" ? bareDeno() : bareHono(),
);
