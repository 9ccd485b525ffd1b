/**
 * Three MySQL servers in one group (Group Replication, single primary), each on a host of its own.
 * @module
 */
import { createConnection } from "mysql2";
import type { Row } from "../rows.ts";
import { isStopped } from "../../databases/server.ts";
import { installData, type ServerProgram } from "../../databases/server_program.ts";
import type { Lan } from "./lan.ts";

const PORT = 3306;
const GROUP_PORT = 33061;
const GROUP = "5e551011-0000-4000-8000-000000000001";
/** It only ends what hangs, in milliseconds. */
const PATIENCE_MS = 300_000;

/** Run by every server at each start: who they are to each other, and the account of the drill, from any host. */
const INIT = `set sql_log_bin = 0;
create user if not exists 'group_member'@'%' identified by 'group_member';
grant replication slave, connection_admin, backup_admin, group_replication_stream on *.* to 'group_member'@'%';
set sql_log_bin = 1;
change replication source to source_user = 'group_member', source_password = 'group_member'
  for channel 'group_replication_recovery';
`;

/** How the product logs in. */
const ACCOUNT = { user: "sessions", password: "sessions", database: "sessions" } as const;

/** The group, as most of its nodes see it. */
interface View {
  readonly primary: number;
  readonly online: number;
}

export class Group implements AsyncDisposable {
  readonly #program: ServerProgram;
  readonly #lan: Lan;
  readonly #folder: string;
  readonly #servers = new Map<number, Deno.ChildProcess>();

  private constructor(program: ServerProgram, lan: Lan, folder: string) {
    this.#program = program;
    this.#lan = lan;
    this.#folder = folder;
  }

  /** Three new, empty servers that are one group, with a database for the product. */
  static async start(program: ServerProgram, lan: Lan): Promise<Group> {
    const group = new Group(program, lan, await Deno.makeTempDir({ prefix: "group-" }));
    try {
      await Deno.writeTextFile(`${group.#folder}/init.sql`, INIT);
      for (const n of [1, 2, 3]) await installData(program, await group.#folderOf(n));
      await group.#startServer(1, true);
      await group.#untilOnline(1);
      for (const n of [2, 3]) await group.#startServer(n, false);
      await group.untilWhole();
      await group.run(1, `create database ${ACCOUNT.database} character set utf8mb4`);
      await group.run(1, `create user '${ACCOUNT.user}'@'%' identified by '${ACCOUNT.password}'`);
      await group.run(1, `grant all on ${ACCOUNT.database}.* to '${ACCOUNT.user}'@'%'`);
      await group.run(
        1,
        `grant select on performance_schema.replication_group_members to '${ACCOUNT.user}'@'%'`,
      );
      return group;
    } catch (error) {
      await group[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** What the product is told: every node. */
  get url(): string {
    const { user, password, database } = ACCOUNT;
    const nodes = this.#lan.hosts.map(({ address }) => `${address}:${PORT}`);
    return `mysql://${user}:${password}@${nodes.join(",")}/${database}`;
  }

  /** The number of the node that takes writes, as most of them see it. */
  async primary(): Promise<number> {
    return (await this.#until("The group has no primary.", () => true)).primary;
  }

  /** Every node is a member that is online, as most of them see it. */
  async untilWhole(): Promise<void> {
    await this.#until("The group is not whole.", ({ online }) => online === this.#lan.hosts.length);
  }

  async #until(otherwise: string, isSo: (view: View) => boolean): Promise<View> {
    const until = performance.now() + PATIENCE_MS;
    while (performance.now() < until) {
      const view = await this.#view();
      if (view !== null && isSo(view)) return view;
    }
    throw new Error(otherwise);
  }

  /** What most nodes say: one that has been frozen or cut off may not know yet that it is out. */
  async #view(): Promise<View | null> {
    const views = await Promise.all([1, 2, 3].map((n) => this.#members(n).catch(() => [])));
    const votes = new Map<string, number>();
    for (const members of views) {
      const online = members.filter(({ state }) => state === "ONLINE");
      const host = online.find(({ role }) => role === "PRIMARY")?.host;
      if (host === undefined) continue;
      const vote = `${host} ${online.length}`;
      votes.set(vote, (votes.get(vote) ?? 0) + 1);
    }
    const [found] = [...votes].find(([, count]) => count >= 2) ?? [];
    if (found === undefined) return null;
    const [host, online] = found.split(" ");
    return {
      primary: this.#lan.hosts.findIndex(({ address }) => address === host) + 1,
      online: Number(online),
    };
  }

  /** One statement on node `n`, as root. */
  run(n: number, statement: string): Promise<Row[]> {
    return ask({ user: "root", socketPath: `${this.#folder}/${n}/server.sock` }, statement);
  }

  /** A question of the product's tables, at whichever node takes writes. */
  async query(statement: string): Promise<Row[]> {
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      try {
        return await this.run(await this.primary(), `use ${ACCOUNT.database}; ${statement}`);
      } catch (error) {
        if (performance.now() > until) throw error;
      }
    }
  }

  /** Ends node `n` without a word. */
  async kill9(n: number): Promise<void> {
    const server = this.#servers.get(n);
    this.#servers.delete(n);
    server?.kill("SIGKILL");
    await server?.status;
  }

  /** Ends node `n` properly. */
  async stop(n: number): Promise<void> {
    const server = this.#servers.get(n);
    this.#servers.delete(n);
    server?.kill("SIGTERM");
    await server?.status;
  }

  /** Stops node `n` in its tracks. */
  async freeze(n: number): Promise<void> {
    const { pid } = this.#servers.get(n)!;
    this.#servers.get(n)!.kill("SIGSTOP");
    while (!await isStopped(pid)) { /* look again */ }
  }

  thaw(n: number): void {
    this.#servers.get(n)!.kill("SIGCONT");
  }

  /** Node `n`, which is down, is started and a member again. */
  async rejoin(n: number): Promise<void> {
    await this.#startServer(n, false);
    await this.untilWhole();
  }

  /** Node `n` is an online member, as it sees itself. */
  async #untilOnline(n: number): Promise<void> {
    const { address } = this.#lan.hosts[n - 1]!;
    const until = performance.now() + PATIENCE_MS;
    for (;;) {
      const members = await this.#members(n).catch(() => []);
      if (members.some(({ host, state }) => host === address && state === "ONLINE")) return;
      if (performance.now() > until) throw new Error(`Node ${n} does not join:\n${await this.#lastWords(n)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [n, server] of this.#servers) {
      server.kill("SIGCONT");
      await this.kill9(n);
    }
    await Deno.remove(this.#folder, { recursive: true });
  }

  async #members(n: number): Promise<{ host: string; state: string; role: string }[]> {
    const rows = await this.run(
      n,
      "select member_host as host, member_state as state, member_role as role " +
        "from performance_schema.replication_group_members",
    );
    return rows.map(({ host, state, role }) => ({
      host: String(host),
      state: String(state),
      role: String(role),
    }));
  }

  async #startServer(n: number, isFirst: boolean): Promise<void> {
    const folder = await this.#folderOf(n);
    const { address } = this.#lan.hosts[n - 1]!;
    const seeds = this.#lan.hosts.map((host) => `${host.address}:${GROUP_PORT}`).join(",");
    const [program, ...args] = this.#lan.on(n);
    const log = await Deno.open(`${folder}/log`, { create: true, append: true });
    const server = new Deno.Command(program, {
      args: [
        ...args,
        this.#program.path,
        "--no-defaults",
        `--datadir=${folder}/data`,
        `--tmpdir=${folder}`,
        `--socket=${folder}/server.sock`,
        `--pid-file=${folder}/server.pid`,
        `--log-error=${folder}/log`,
        `--init-file=${this.#folder}/init.sql`,
        `--bind-address=${address}`,
        `--port=${PORT}`,
        "--mysqlx=OFF",
        "--secure-file-priv=NULL",
        "--innodb-buffer-pool-size=32M",
        "--innodb-flush-log-at-trx-commit=2",
        `--server-id=${n}`,
        "--gtid-mode=ON",
        "--enforce-gtid-consistency=ON",
        "--log-bin=bin",
        `--report-host=${address}`,
        "--plugin-load-add=group_replication.so",
        `--loose-group-replication-group-name=${GROUP}`,
        `--loose-group-replication-local-address=${address}:${GROUP_PORT}`,
        `--loose-group-replication-group-seeds=${seeds}`,
        "--loose-group-replication-start-on-boot=ON",
        `--loose-group-replication-bootstrap-group=${isFirst ? "ON" : "OFF"}`,
        "--loose-group-replication-recovery-get-public-key=ON",
        ...(Deno.uid() === 0 ? ["--user=root"] : []),
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    log.close();
    server.unref();
    this.#servers.set(n, server);
  }

  async #folderOf(n: number): Promise<string> {
    const folder = `${this.#folder}/${n}`;
    await Deno.mkdir(folder, { recursive: true });
    return folder;
  }

  async #lastWords(n: number): Promise<string> {
    const text = await Deno.readTextFile(`${this.#folder}/${n}/log`).catch(() => "");
    return text.split("\n").slice(-8).join("\n");
  }
}

/** One statement, or several, over a connection of its own; the rows of the last one. */
async function ask(
  address: { readonly user: string; readonly socketPath: string },
  statement: string,
): Promise<Row[]> {
  const connection = createConnection({ ...address, multipleStatements: true, connectTimeout: 2_000 });
  connection.on("error", () => {});
  try {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("no answer")), 5_000);
      connection.query(statement, (error, rows) => {
        clearTimeout(timer);
        if (error) return reject(error);
        const results: readonly unknown[] = Array.isArray(rows) ? rows : [];
        const last = results.at(-1);
        resolve((Array.isArray(last) ? last : results) as Row[]);
      });
    });
  } finally {
    connection.destroy();
  }
}
