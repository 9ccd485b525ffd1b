/**
 * A MySQL or MariaDB server for the tests: that of `TEST_MYSQL_URL` where it is set, otherwise one of our
 * own in a temporary folder, started once for the whole test process. The fault tests start others, which they
 * may kill. Which of the two it is is up to `TEST_MYSQL_SERVER` (`server_program.ts`). Without either the tests that
 * need one are skipped, or fail where `TEST_MYSQL_REQUIRED` is 1.
 * @module
 */
import { type Connection, createConnection } from "mysql2";
import {
  DEADLOCKS,
  installData,
  ownServerProgram,
  serverArguments,
  type ServerKind,
  type ServerProgram,
} from "./server_program.ts";

/** A server that accepts connections. */
export class TestServer {
  /** Whether it is ours to stop, kill and start again. */
  readonly own: boolean;
  readonly #address: { host: string; port: number; user: string; password: string };
  readonly #folder: string | undefined;
  #process: Deno.ChildProcess | undefined;
  #program: ServerProgram | undefined;
  #options: readonly string[] = [];

  private constructor(
    address: { host: string; port: number; user: string; password: string },
    folder: string | undefined,
  ) {
    this.#address = address;
    this.#folder = folder;
    this.own = folder !== undefined;
  }

  /** The server of `TEST_MYSQL_URL`. */
  static at(text: string): TestServer {
    const url = new URL(text);
    return new TestServer({
      host: url.hostname,
      port: Number(url.port || 3306),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    }, undefined);
  }

  /**
   * A server of our own: a data folder of its own, a free port, this machine alone.
   * @param installOptions what has to be said before there is any data
   */
  static async start(
    program: ServerProgram,
    options: readonly string[] = [],
    installOptions: readonly string[] = [],
  ): Promise<TestServer> {
    const folder = installOptions.length > 0
      ? await install(program, installOptions)
      : await ownFolder(program);
    const port = freePort();
    const server = new TestServer({ host: "127.0.0.1", port, user: "root", password: "" }, folder);
    server.#program = program;
    server.#options = [...options, ...installOptions];
    globalThis.addEventListener("unload", server.#onUnload);
    await server.restart();
    return server;
  }

  /**
   * The server that every file of this test process shares. Files are isolates of their own and see nothing of
   * each other but the environment, so where it is is left there; a shell that outlives them all ends the server
   * once this process is gone.
   */
  static async shared(program: ServerProgram): Promise<TestServer> {
    const known = readShared();
    if (known !== undefined) return TestServer.at(`mysql://root@127.0.0.1:${known.port}`);
    const folder = await install(program);
    await copyData(`${folder}/data`, `${folder}/untouched`);
    const port = freePort();
    const server = TestServer.at(`mysql://root@127.0.0.1:${port}`);
    const shell = new Deno.Command("sh", {
      args: [
        "-c",
        WATCH,
        "watch",
        String(Deno.pid),
        folder,
        program.path,
        ...serverArguments(program, folder, port),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    shell.unref();
    await server.#untilReady();
    Deno.env.set(SHARED, JSON.stringify({ pid: Deno.pid, port, folder }));
    return server;
  }

  /** A new, empty database: its URL, and how to drop it. */
  async database(): Promise<{ url: string; name: string; drop: () => Promise<void> }> {
    // Not `test_…`: MariaDB lets everybody into such a database.
    const name = `store_${crypto.randomUUID().replaceAll("-", "")}`;
    await this.run(`create database ${name} character set utf8mb4`);
    const { host, port, user, password } = this.#address;
    const login = `${encodeURIComponent(user)}:${encodeURIComponent(password)}`;
    return {
      name,
      url: `mysql://${login}@${host}:${port}/${name}`,
      drop: async () => void await this.run(`drop database ${name}`),
    };
  }

  /** One statement over a connection of its own. */
  async run(statement: string, database?: string): Promise<Record<string, unknown>[]> {
    await using session = await this.session(database);
    return await session.run(statement);
  }

  /** A connection of one's own, to hold locks and transactions. */
  async session(database?: string): Promise<TestSession> {
    const connection = createConnection({
      ...this.#address,
      database,
      multipleStatements: true,
      dateStrings: true,
    });
    await new Promise<void>((resolve, reject) =>
      connection.connect((error) => error ? reject(error) : resolve())
    );
    return new TestSession(connection);
  }

  /** Where a server of our own keeps its data, and on MySQL the certificates that it has made for itself. */
  get dataFolder(): string {
    if (this.#folder === undefined) throw new Error("This server is not ours to look into.");
    return `${this.#folder}/data`;
  }

  /** Whose server it is. */
  async kind(): Promise<ServerKind> {
    const [row] = await this.run("select version() as version");
    return /mariadb/i.test(String(row?.["version"])) ? "mariadb" : "mysql";
  }

  /** Whether a server of our own has been started and not been ended. */
  get running(): boolean {
    return this.#process !== undefined;
  }

  /** Ends the server without a word, as a power cut would. Its port refuses connections afterwards. */
  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends the server properly. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  /** Makes the server silent: connections stay open, nothing is answered until {@link resume}. */
  async pause(): Promise<void> {
    this.#process?.kill("SIGSTOP");
    // The signal takes its time on a busy machine: every thread has to have stopped before it is silent.
    while (this.#process !== undefined && !await isStopped(this.#process.pid)) { /* look again */ }
  }

  /** Ends a {@link pause}. */
  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Starts it again over the same data, on the same port, and waits until it answers. */
  async restart(): Promise<void> {
    const folder = this.#folder;
    const program = this.#program;
    if (folder === undefined || program === undefined) throw new Error("This server is not ours to start.");
    this.#process = new Deno.Command(program.path, {
      args: [...serverArguments(program, folder, this.#address.port), ...this.#options],
      stdout: "null",
      stderr: "null",
    }).spawn();
    this.#process.unref();
    await this.#untilReady();
  }

  /** Ends the server and removes its folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    globalThis.removeEventListener("unload", this.#onUnload);
    if (this.#process !== undefined) await this.kill9();
    if (this.#folder !== undefined) await Deno.remove(this.#folder, { recursive: true });
  }

  /** The same at the very end of the file's tests, when nothing can be waited for any more. */
  readonly #onUnload = () => {
    try {
      this.#process?.kill("SIGKILL");
      if (this.#folder !== undefined) Deno.removeSync(this.#folder, { recursive: true });
    } catch {
      // Already gone, or still writing into its temporary folder.
    }
  };

  async #end(signal: Deno.Signal): Promise<void> {
    const process = this.#process;
    if (process === undefined) throw new Error("This server is not ours to end.");
    this.#process = undefined;
    process.ref();
    process.kill(signal);
    await process.status;
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + 120_000;
    for (;;) {
      try {
        await this.run("select 1");
        return;
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

/** One connection. */
export class TestSession implements AsyncDisposable {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.on("error", () => {});
  }

  run(statement: string): Promise<Record<string, unknown>[]> {
    return new Promise((resolve, reject) =>
      this.#connection.query(
        statement,
        (error, rows) => error ? reject(error) : resolve(rows as unknown as Record<string, unknown>[]),
      )
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const stream = (this.#connection as unknown as {
      stream: { closed: boolean; once: (e: string, f: () => void) => void };
    }).stream;
    this.#connection.end(() => {});
    if (!stream.closed) await new Promise<void>((resolve) => stream.once("close", resolve));
  }
}

/** Where the port and the folder of the shared server are left, with the id of the process that shares it. */
const SHARED = "TEST_MYSQL_SHARED";

function readShared(): { port: number; folder: string } | undefined {
  const shared = JSON.parse(Deno.env.get(SHARED) ?? "{}");
  return shared.pid === Deno.pid ? shared : undefined;
}

/** Runs a server until the process with id `$1` is gone, then ends it and removes the folder `$2`. */
const WATCH = `trap '' INT TERM
process=$1 folder=$2
shift 2
"$@" &
while kill -0 "$process" && kill -0 $!; do sleep 0.5; done
kill -9 $!
wait
rm -rf "$folder"`;

/** A data folder for a server of its own: a copy of an empty one, which takes a while to make. */
async function ownFolder(program: ServerProgram): Promise<string> {
  const shared = readShared();
  const from = shared === undefined
    ? await (template ??= makeTemplate(program))
    : `${shared.folder}/untouched`;
  const folder = await Deno.makeTempDir({ prefix: FOLDER });
  await copyData(from, `${folder}/data`);
  return folder;
}

let template: Promise<string> | undefined;

/** An empty data folder for this file's servers, where the test process has none. */
async function makeTemplate(program: ServerProgram): Promise<string> {
  const folder = await install(program);
  globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
  return `${folder}/data`;
}

async function copyData(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-r", from, to] }).output();
  if (!success) throw new Error(`${from} could not be copied.`);
}

/** An empty data folder, in a temporary folder of its own. */
async function install(program: ServerProgram, options: readonly string[] = []): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: FOLDER });
  await installData(program, folder, options);
  return folder;
}

const FOLDER = "database-server-";

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

let shared: Promise<TestServer | undefined> | undefined;

/** The server of this test process, started for the first who asks; undefined when there is none to be had. */
export function testServer(): Promise<TestServer | undefined> {
  return shared ??= startShared();
}

async function startShared(): Promise<TestServer | undefined> {
  const url = Deno.env.get("TEST_MYSQL_URL");
  if (url) return TestServer.at(url);
  const program = await ownServerProgram();
  if (program === undefined) return undefined;
  return await TestServer.shared(program);
}

/** Whether the kernel has stopped every thread of this process. Deno itself reads /proc with every permission only. */
export async function isStopped(pid: number): Promise<boolean> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `cat /proc/${pid}/task/*/stat`] }).output();
  const threads = new TextDecoder().decode(stdout).trim().split("\n");
  return threads.every((stat) => /\) [Tt] /.test(stat));
}

/** Asks until somebody waits for a row that another transaction has locked. */
export async function untilLockWait(server: TestServer): Promise<void> {
  // Not information_schema.innodb_trx: that is a copy, which asking too often keeps from being renewed.
  while (await globalStatus(server, "Innodb_row_lock_current_waits") === 0);
}

/** How many deadlocks the server has seen. */
export async function countDeadlocks(server: TestServer): Promise<number> {
  const [row] = await server.run(DEADLOCKS[await server.kind()]);
  return Number(row?.["deadlocks"]);
}

/** One counter of the server. */
export async function globalStatus(server: TestServer, name: string): Promise<number> {
  const [row] = await server.run(`show global status like '${name}'`);
  return Number(row?.["Value"]);
}
