import assert from "node:assert/strict";
import { TestProcess } from "../../../lab/process.ts";
import { environmentIn, LoggedService, makePipe, readLog, until, withFolder } from "./logged_service.ts";

/** Somebody who reads a pipe. */
function readerOf(pipe: string): TestProcess {
  return new TestProcess("cat", [pipe], {});
}

/** What a reader has read, to the last byte once it has ended. */
function textOf({ lines }: TestProcess): string {
  return lines.map((line) => `${line}\n`).join("");
}

Deno.test("the log of a service that is well is complete, and its last line is that it has stopped", async () => {
  await withFolder(async (folder) => {
    await using service = new LoggedService('>"$LOG"', { ...environmentIn(folder), LOG: `${folder}/log` });
    await service.answers();
    await service.ask(200);
    assert.equal(await service.dropped(), 0);
    await service.stop();
    const text = await Deno.readTextFile(`${folder}/log`);
    assert.deepEqual(readLog(text), { lines: service.lines, missing: 0, gaps: 0 });
    assert.equal(JSON.parse(text.trimEnd().split("\n").at(-1) ?? "").event, "stopped");
  });
});

Deno.test("every answer is 200, and every line counted, when the log is written to a full device", async () => {
  await withFolder(async (folder) => {
    await using service = new LoggedService(">/dev/full", environmentIn(folder));
    await service.answers();
    await service.ask(1_000);
    await service.hasDroppedAll();
    await service.stop();
    assert.equal(service.process.stderr, "");
  });
});

Deno.test("every answer is 200 when standard output is closed", async () => {
  await withFolder(async (folder) => {
    await using service = new LoggedService(">&-", environmentIn(folder));
    await service.answers();
    await service.ask(200);
    assert.equal(
      await service.dropped(),
      0,
      "the runtime puts the null device in the place of what is closed",
    );
    await service.stop();
  });
});

Deno.test("every answer is 200 when the log's reader goes away, and the next one is told what is missing", async () => {
  await withFolder(async (folder) => {
    const pipe = await makePipe(`${folder}/pipe`);
    await using service = new LoggedService('>"$LOG"', { ...environmentIn(folder), LOG: pipe });
    await using first = readerOf(pipe);
    await first.event("listening");
    first.kill("SIGKILL");
    await first.exit();
    await service.ask(1_000);
    await until(async () => {
      const logged = service.lines;
      // All but the first, which was read.
      return await service.dropped() === logged - 1;
    }, "every line is counted as dropped");
    const missed = service.lines - 1;
    await using second = readerOf(pipe);
    assert.equal((await second.event("log_lines_dropped")).lines, missed);
    await service.ask(10);
    await service.stop();
    await second.exit();
    const read = readLog(textOf(second));
    assert.deepEqual(read, { lines: service.lines - 1 - missed, missing: missed, gaps: 1 });
  });
});

Deno.test("every answer is 200 while the log's reader pauses, and when it goes on it is told what is missing", async () => {
  await withFolder(async (folder) => {
    const pipe = await makePipe(`${folder}/pipe`);
    await using service = new LoggedService('>"$LOG"', { ...environmentIn(folder), LOG: pipe });
    await using reader = readerOf(pipe);
    await reader.event("listening");
    reader.kill("SIGSTOP");
    await service.ask(1_000);
    await service.askUntilDropped();
    const dropped = await service.dropped();
    assert.ok(dropped > 0);
    reader.kill("SIGCONT");
    const { lines } = await reader.event("log_lines_dropped");
    assert.equal(lines, await service.dropped());
    assert.ok(lines >= dropped);
    await service.stop();
    await reader.exit();
    const read = readLog(textOf(reader));
    assert.deepEqual(read, { lines: service.lines - lines, missing: lines, gaps: 1 });
  });
});

Deno.test("the service stops in order, and tears no line, while the log's reader pauses", async () => {
  await withFolder(async (folder) => {
    const pipe = await makePipe(`${folder}/pipe`);
    await using service = new LoggedService('>"$LOG"', { ...environmentIn(folder), LOG: pipe });
    await using reader = readerOf(pipe);
    await reader.event("listening");
    reader.kill("SIGSTOP");
    await service.ask(1_000);
    await service.stop();
    reader.kill("SIGCONT");
    await reader.exit();
    assert.ok(
      readLog(textOf(reader)).lines < service.lines,
      "the pipe held everything: nothing was put to the test",
    );
  });
});

const mountable = await canMount();

Deno.test({
  name:
    "the log goes on by itself, says what is missing and tears no line, when its disk was full for a while" +
    (mountable ? "" : " (skipped: mounting is not allowed here)"),
  ignore: !mountable,
  fn: () =>
    withFolder(async (folder) => {
      const disk = `${folder}/disk`;
      await Deno.mkdir(disk);
      await mount(disk);
      try {
        const log = `${disk}/log`;
        await using service = new LoggedService('>>"$LOG"', { ...environmentIn(folder), LOG: log });
        await service.answers();
        const read = () => Deno.readTextFile(log);
        await until(async () => (await read()).includes("listening"), "the log is written");
        await fill(`${disk}/filler`);
        await service.askUntilDropped();
        await service.ask(500);
        await Deno.remove(`${disk}/filler`);
        await until(async () => (await read()).includes("log_lines_dropped"), "what is missing is told");
        await service.ask(100);
        const dropped = await service.dropped();
        await service.stop();
        const { lines, missing } = readLog(await read());
        assert.equal(missing, dropped);
        assert.equal(lines + missing, service.lines);
      } finally {
        await run("umount", disk);
      }
    }),
});

function mount(folder: string): Promise<boolean> {
  return run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", folder);
}

async function canMount(): Promise<boolean> {
  const folder = await Deno.makeTempDir();
  const isMounted = await mount(folder);
  if (isMounted) await run("umount", folder);
  await Deno.remove(folder);
  return isMounted;
}

/** Whether a program did what it was asked to; no when there is none of that name. */
async function run(command: string, ...args: string[]): Promise<boolean> {
  try {
    return (await new Deno.Command(command, { args, stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Writes until not another byte fits. */
async function fill(path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, write: true });
  for (let size = 2 ** 16; size >= 1; size = Math.floor(size / 2)) {
    try {
      while (true) await file.write(new Uint8Array(size));
    } catch (error) {
      assert.equal((error as { code?: string }).code, "ENOSPC");
    }
  }
}
