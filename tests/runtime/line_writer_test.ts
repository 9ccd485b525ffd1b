import assert from "node:assert/strict";
import fc from "fast-check";
import { LineWriter, type LineWriterOptions } from "../../runtime/line_writer.ts";

/** What a stream does with one write. */
type Answer =
  | { readonly kind: "take"; readonly bytes: number }
  | { readonly kind: "fail"; readonly name: string };

const OPTIONS: LineWriterOptions = {
  gapLine: (lines) => `gap ${lines}\n`,
  capacityBytes: 200,
  gatherMs: 0,
  retryMs: 1,
  busyMs: 0,
};

/** Longer than any test waits for what has to happen, in milliseconds. */
const PATIENCE_MS = 300_000;

/** A stream that answers by a script, and then takes everything. */
class ScriptedSink {
  readonly #script: Answer[];
  #bytes: number[] = [];
  /** Set while a write is to be held up. */
  held: Promise<void> | null = null;

  constructor(script: readonly Answer[] = []) {
    this.#script = [...script];
  }

  async write(bytes: Uint8Array): Promise<number> {
    await this.held;
    const answer = this.#script.shift();
    if (answer?.kind === "fail") {
      // A pipe's reader that goes away has read whole lines, and takes the rest of another with it.
      if (answer.name === "BrokenPipe") this.#bytes = this.#bytes.slice(0, this.#bytes.lastIndexOf(0x0a) + 1);
      throw Object.assign(new Error(answer.name), { name: answer.name });
    }
    const taken = Math.min(answer?.bytes ?? bytes.length, bytes.length);
    this.#bytes.push(...bytes.subarray(0, taken));
    return taken;
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.#bytes));
  }
}

/** Numbers lines, and makes some of them longer than a stream takes in one piece, and none of them ASCII alone. */
function numbered(number: number, length: number): string {
  return `${number} ${"é".repeat(length)}\n`;
}

/** Every line of a text is whole, in its place, or told to be missing there. Returns how many were told. */
function accountFor(text: string, written: number): number {
  assert.ok(text === "" || text.endsWith("\n"), text.slice(-80));
  let next = 0;
  let told = 0;
  for (const line of text.split("\n").slice(0, -1)) {
    const gap = /^gap (\d+)$/.exec(line);
    if (gap) {
      assert.notEqual(gap[1], "0");
      next += Number(gap[1]);
      told += Number(gap[1]);
      continue;
    }
    assert.match(line, /^\d+ é*$/);
    assert.equal(Number(line.split(" ", 1)[0]), next, text);
    next++;
  }
  assert.equal(next, written, text);
  return told;
}

const answers = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), bytes: fc.nat(60) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("fail" as const),
        name: fc.constantFrom("Error", "BrokenPipe", "WouldBlock", "Interrupted", "BadResource"),
      }),
    },
  ),
  { maxLength: 30 },
);

/** Lines to write in one turn, and how the test goes on after them. */
const turns = fc.array(
  fc.record({ lines: fc.array(fc.nat(50), { maxLength: 12 }), flush: fc.boolean() }),
  { maxLength: 8 },
);

Deno.test("LineWriter writes whole lines in order and tells of each gap in its place, whatever the stream does", async () => {
  await fc.assert(
    fc.asyncProperty(answers, turns, async (script, steps) => {
      const sink = new ScriptedSink(script);
      const writer = new LineWriter(sink, OPTIONS);
      let count = 0;
      for (const { lines, flush } of steps) {
        for (const length of lines) writer.write(numbered(count++, length));
        if (flush) await writer.flush(PATIENCE_MS);
        else await Promise.resolve();
      }
      // Each attempt uses up a part of the script, at whose end the stream takes everything.
      for (let attempt = 0; attempt <= script.length; attempt++) await writer.flush(PATIENCE_MS);
      const told = accountFor(sink.text, count);
      assert.equal(told, writer.dropped);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("LineWriter keeps no more than its buffers hold, and waits for nobody, while a write is held up", async () => {
  const sink = new ScriptedSink();
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.held = promise;
  const writer = new LineWriter(sink, OPTIONS);
  writer.write(numbered(0, 0));
  await writer.flush(0);
  for (let number = 1; number < 1_000; number++) writer.write(numbered(number, 20));
  await writer.flush(0);
  const lineBytes = new TextEncoder().encode(numbered(10, 20)).length;
  assert.ok(writer.dropped >= 999 - 200 / lineBytes, String(writer.dropped));
  sink.held = null;
  resolve();
  await writer.flush(PATIENCE_MS);
  assert.equal(accountFor(sink.text, 1_000), writer.dropped);
  assert.equal(sink.text.match(/gap/g)?.length, 1);
});

Deno.test("LineWriter gives the stream whole lines in small pieces, larger ones while much waits, and cuts only long lines", async () => {
  const pieces: string[] = [];
  const writer = new LineWriter({
    write(bytes) {
      pieces.push(new TextDecoder("latin1").decode(bytes));
      return Promise.resolve(bytes.length);
    },
  }, { ...OPTIONS, capacityBytes: 2 ** 19 });
  for (let number = 0; number < 1_500; number++) writer.write(numbered(number, 50));
  writer.write(numbered(1_500, 2_000));
  for (let number = 1_501; number < 1_600; number++) writer.write(numbered(number, 50));
  await writer.flush(PATIENCE_MS);
  assert.equal(writer.dropped, 0);
  const waits = (at: number) => pieces.slice(at).reduce((sum, { length }) => sum + length, 0);
  const sizes = [1_024, 4_096, 2 ** 16].map((size) => ({ size, seen: 0 }));
  for (const [at, { length }] of pieces.entries()) {
    const waiting = waits(at);
    const tier = sizes[waiting > 2 ** 17 ? 2 : waiting > 2 ** 15 ? 1 : 0];
    assert.ok(tier && length <= tier.size);
    tier.seen = Math.max(tier.seen, length);
  }
  for (const { size, seen } of sizes) assert.ok(seen > size / 2, `${seen} of ${size}`);
  const cut = pieces.filter((piece) => !piece.endsWith("\n"));
  assert.deepEqual(cut.map(({ length }) => length), [1_024, 1_024, 1_024]);
});

Deno.test("LineWriter counts lines immediately while the stream fails", async () => {
  const writer = new LineWriter({ write: () => Promise.reject(new Error("full")) }, {
    ...OPTIONS,
    retryMs: 2 ** 30,
  });
  writer.write("a\n");
  await writer.flush(PATIENCE_MS);
  assert.equal(writer.dropped, 1);
  writer.write("b\n");
  assert.equal(writer.dropped, 2);
});
