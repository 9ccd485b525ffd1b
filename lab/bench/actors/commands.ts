/**
 * What a helper of the bench can be told to do, in its own process: a POST of JSON, answered by JSON.
 * @module
 */

/** One command of a helper. */
export type Command = (body: any) => unknown | Promise<unknown>;

/** Serves a helper's commands, by path, on a free port, and says which. For the helper's own process. */
export function serveCommands(commands: Readonly<Record<string, Command>>): void {
  Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: announce }, async (request) => {
    const command = commands[new URL(request.url).pathname.slice(1)];
    if (command === undefined) return new Response(null, { status: 404 });
    try {
      return Response.json(await command(await request.json()) ?? null);
    } catch (error) {
      return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
    }
  });
}

/** Says on which port a helper listens, in the words that {@link Helper} waits for. */
export function announce({ port }: { port: number }): void {
  console.log(`listening on ${port}`);
}
