/**
 * The server program behind the tests that need a database server: MariaDB's, or with `TEST_MYSQL_SERVER=mysql`
 * MySQL's own. Where the two are started, and looked into, in different ways is said here and nowhere else.
 *
 * MySQL's is the one that `fetch_mysql.sh` has made, or a `mysqld` of this machine; on Debian that name is often
 * MariaDB's, which does not count.
 * @module
 */

export type ServerKind = "mariadb" | "mysql";

/** A program that can be started. */
export interface ServerProgram {
  readonly kind: ServerKind;
  readonly path: string;
}

/** Which of the two the tests are to run on. @throws {Error} when `TEST_MYSQL_SERVER` names neither */
export function wantedKind(): ServerKind {
  const kind = Deno.env.get("TEST_MYSQL_SERVER") || "mariadb";
  if (kind !== "mariadb" && kind !== "mysql") throw new Error("TEST_MYSQL_SERVER takes mariadb or mysql.");
  return kind;
}

/** What is missing where there is no server to be had, for the names of tests. */
export function whatIsMissing(): string {
  return wantedKind() === "mariadb" ? "no mariadbd here" : "no MySQL here";
}

/** The server program here; undefined when there is none. */
export async function ownServerProgram(): Promise<ServerProgram | undefined> {
  const kind = wantedKind();
  const program = await findProgram(kind);
  if (
    program === undefined && !Deno.env.get("TEST_MYSQL_URL") && Deno.env.get("TEST_MYSQL_REQUIRED") === "1"
  ) {
    throw new Error(
      `TEST_MYSQL_REQUIRED is 1, and there is ${
        kind === "mariadb"
          ? "neither TEST_MYSQL_URL nor a mariadbd"
          : "no MySQL; see lab/databases/fetch_mysql.sh"
      }.`,
    );
  }
  return program;
}

/** MySQL's own server here, whichever the tests run on; undefined when there is none. */
export function findMysql(): Promise<ServerProgram | undefined> {
  return findProgram("mysql");
}

async function findProgram(kind: ServerKind): Promise<ServerProgram | undefined> {
  for (const path of CANDIDATES[kind]()) {
    try {
      const { success, stdout } = await new Deno.Command(path, { args: ["--version"], stderr: "null" })
        .output();
      const isMariadb = /mariadb/i.test(new TextDecoder().decode(stdout));
      if (success && isMariadb === (kind === "mariadb")) return { kind, path };
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

const CANDIDATES: Readonly<Record<ServerKind, () => string[]>> = {
  mariadb: () => ["mariadbd", "/usr/sbin/mariadbd"],
  mysql: () => {
    const cache = Deno.env.get("XDG_CACHE_HOME") || `${Deno.env.get("HOME") ?? ""}/.cache`;
    return [`${cache}/session-manager/mysql/mysqld`, "mysqld", "/usr/sbin/mysqld"];
  },
};

/** Makes an empty data folder, `data`, in this folder. Its root has no password. */
export async function installData(
  { kind, path }: ServerProgram,
  folder: string,
  options: readonly string[] = [],
): Promise<void> {
  const place = [`--datadir=${folder}/data`, `--tmpdir=${folder}`]; // two that share one delete each other's tables
  const [program, args] = kind === "mariadb"
    ? ["mariadb-install-db", [
      "--no-defaults",
      ...place,
      "--auth-root-authentication-method=normal",
      "--skip-test-db",
    ]] as const
    : [path, ["--no-defaults", "--initialize-insecure", ...place, "--secure-file-priv=NULL"]] as const;
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args, ...LIGHT[kind], ...options, ...asRoot()],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

/** The arguments of a server over `folder`'s data, for this machine alone. */
export function serverArguments({ kind }: ServerProgram, folder: string, port: number): string[] {
  return [
    "--no-defaults",
    `--datadir=${folder}/data`,
    `--tmpdir=${folder}`, // two that share one delete each other's tables
    `--socket=${folder}/server.sock`,
    `--pid-file=${folder}/server.pid`,
    `--port=${port}`,
    "--bind-address=127.0.0.1",
    ...PLAIN[kind],
    ...LIGHT[kind],
    ...asRoot(),
  ];
}

/** Small, and nothing waits for the disk: what is committed outlives the server, if not the machine. */
const LIGHT: Readonly<Record<ServerKind, readonly string[]>> = {
  mariadb: [
    "--innodb-buffer-pool-size=32M",
    "--innodb-log-file-size=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--skip-innodb-doublewrite",
    "--sync-frm=0",
  ],
  mysql: [
    "--innodb-buffer-pool-size=32M",
    "--innodb-redo-log-capacity=8M",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=OFF",
    "--disable-log-bin",
    "--performance-schema=OFF",
  ],
};

/** Nothing but the protocol. MySQL takes its own root for one of another host where it may not look for names. */
const PLAIN: Readonly<Record<ServerKind, readonly string[]>> = {
  mariadb: ["--skip-name-resolve"],
  mysql: ["--mysqlx=OFF", "--secure-file-priv=NULL"],
};

/** How many deadlocks the server has seen; a row with one number, `deadlocks`. */
export const DEADLOCKS: Readonly<Record<ServerKind, string>> = {
  mariadb: "select variable_value as deadlocks from information_schema.global_status " +
    "where variable_name = 'Innodb_deadlocks'",
  mysql: "select count as deadlocks from information_schema.innodb_metrics where name = 'lock_deadlocks'",
};

/** The server refuses to run as root unless it is told to. */
function asRoot(): string[] {
  return Deno.uid() === 0 ? ["--user=root"] : [];
}
