/**
 * What HTTP is measured against, servers with nothing in them: `peers_main.ts <deno|hono> <size>` answers a
 * constant of so many bytes, through `Deno.serve` alone or through one Hono route with a parameter.
 * @module
 */
import { Hono } from "hono";
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
  app.get("/:id", (c) => c.json(constant));
  app.post("/:id", (c) => c.json(constant));
  return app.fetch;
}

Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: announce },
  kind === "deno" ? bareDeno() : bareHono(),
);
