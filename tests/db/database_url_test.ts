import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, parseConfig } from "../../config.ts";
import { folderOf } from "../../db/database_url.ts";
import { DatabaseUnusableError, parseDatabaseUrl } from "../../db/mod.ts";
import { databaseNeeds, folderOfFile } from "../../permissions.ts";

const MYSQL = {
  dialect: "mysql",
  nodes: [{ host: "db.example", port: 3306 }],
  user: "u",
  password: "p",
  database: "d",
  tls: "none",
  tlsAuthorities: null,
  poolSize: 10,
};

Deno.test("parseDatabaseUrl() gives the file when the scheme is sqlite", () => {
  const paths = [
    ["sqlite:data/session-manager.db", "data/session-manager.db"],
    ["sqlite:/var/lib/x.db", "/var/lib/x.db"],
    ["sqlite:///var/lib/x.db", "/var/lib/x.db"],
    ["sqlite::memory:", ":memory:"],
  ];
  for (const [url, path] of paths) assert.deepEqual(parseDatabaseUrl(url!), { dialect: "sqlite", path });
});

Deno.test("folderOf() gives the folder that a file lies in, the same for whoever makes it and whoever permits it", () => {
  for (
    const [path, folder] of [
      ["sessions.db", "."],
      ["data/sessions.db", "data"],
      ["/sessions.db", "/"],
      ["/var/lib/x/sessions.db", "/var/lib/x"],
      // A character like any other in the name of a file.
      ["/var/lib/one\\two.db", "/var/lib"],
    ] as const
  ) {
    assert.equal(folderOf(path), folder);
    assert.equal(folderOfFile(path), folder);
    assert.deepEqual(databaseNeeds({ databaseUrl: `sqlite:${path}` }).write, [folder]);
  }
});

Deno.test("parseDatabaseUrl() gives every part when the scheme is mysql", () => {
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@db.example/d"), MYSQL);
  assert.deepEqual(parseDatabaseUrl("mariadb://u:p%40%2F%3A@db.example:3307/d?ssl=true&pool=3"), {
    ...MYSQL,
    nodes: [{ host: "db.example", port: 3307 }],
    password: "p@/:",
    tls: "verified",
    poolSize: 3,
  });
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@[::1]/d?ssl=skip-verify"), {
    ...MYSQL,
    nodes: [{ host: "::1", port: 3306 }],
    tls: "unverified",
  });
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@db.example/d?ssl-ca=/etc/ca.pem"), {
    ...MYSQL,
    tls: "verified",
    tlsAuthorities: "/etc/ca.pem",
  });
  // The name is not looked at, so an address will do.
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@10.0.0.5/d?ssl=verify-ca&ssl-ca=/etc/ca.pem"), {
    ...MYSQL,
    nodes: [{ host: "10.0.0.5", port: 3306 }],
    tls: "authority",
    tlsAuthorities: "/etc/ca.pem",
  });
});

Deno.test("parseDatabaseUrl() gives every node of a cluster, in its order", () => {
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@db.example:3306,10.0.0.5,[::1]:3307/d?pool=4"), {
    ...MYSQL,
    nodes: [
      { host: "db.example", port: 3306 },
      { host: "10.0.0.5", port: 3306 },
      { host: "::1", port: 3307 },
    ],
    poolSize: 4,
  });
  const spelt = fc.record({
    host: fc.constantFrom("a", "b.example", "10.0.0.7", "[fd00::1]"),
    port: fc.option(fc.integer({ min: 1, max: 65_535 })),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(spelt, {
        minLength: 1,
        maxLength: 9,
        selector: ({ host, port }) => `${host}:${port ?? 3306}`,
      }),
      fc.string(),
      (nodes, password) => {
        const list = nodes.map(({ host, port }) => port === null ? host : `${host}:${port}`).join();
        const secret = encodeURIComponent(password.isWellFormed() ? password : "");
        assert.deepEqual(
          (parseDatabaseUrl(`mysql://u:${secret}@${list}/d`) as { nodes: unknown }).nodes,
          nodes.map(({ host, port }) => ({ host: host.replace(/[[\]]/g, ""), port: port ?? 3306 })),
        );
      },
    ),
  );
});

Deno.test("parseDatabaseUrl() refuses with one sentence without the URL when it is not one", () => {
  const bad = [
    "",
    "postgres://u:hunter2@h/d",
    "sqlite:",
    "sqlite:a.db?mode=ro",
    "mysql://u:hunter2@h",
    "mysql://u:hunter2@h/",
    "mysql://u:hunter2@h/a/b",
    "mysql://h/d",
    "mysql://u:hunter2@h:99999/d",
    "mysql://u:hunter2%@h/d",
    "mysql://u:hunter2@h/d#x",
    "mysql://u:1/hunter2@h",
    "mysql://u@h/d?ssl-ca=hunter2@h",
    "mysql://u:hunter2@h/d?ssl=maybe",
    "mysql://u:hunter2@h/d?ssl=verify-ca",
    "mysql://u:hunter2@h/d?ssl=skip-verify&ssl-ca=/etc/ca.pem",
    "mysql://u:hunter2@h/d?ssl=false&ssl-ca=/etc/ca.pem",
    "mysql://u:hunter2@10.0.0.5/d?ssl=true",
    "mysql://u:hunter2@[::1]/d?ssl-ca=/etc/ca.pem",
    "mysql://u:hunter2@h1,h2",
    "mysql://u:hunter2@h1,,h2/d",
    "mysql://u:hunter2@,h2/d",
    "mysql://u:hunter2@h1,h2,/d",
    "mysql://u:hunter2@h1,h1:3306/d",
    "mysql://u:hunter2@h1,h2:99999/d",
    "mysql://u:hunter2@db.example,10.0.0.5/d?ssl=true",
    "mysql://u:hunter2@a,b,c,d,e,f,g,h,i,j/d",
    "mysql://u:hunter2@h/d?pool=0",
    "mysql://u:hunter2@h/d?timezone=local",
  ];
  for (const url of bad) {
    assert.throws(() => parseDatabaseUrl(url), (error) => {
      assert.ok(error instanceof DatabaseUnusableError, url);
      assert.match(error.message, /^DATABASE_URL [^.]+\.$/);
      assert.ok(!error.message.includes("hunter2"));
      return true;
    });
  }
});

/** Some characters of which a URL makes something of its own, among others. */
const passwords = fc.string({
  unit: fc.oneof(fc.constantFrom(..."#@/%?:,&=+$[]\\'\"123abc"), fc.string({ minLength: 1, maxLength: 1 })),
  minLength: 1,
  maxLength: 12,
});

/** What comes of a password in the URL of a configuration: the password that is used, or null when it is refused. */
function passwordOf(written: string): string | null {
  const CREDENTIALS_KEY = btoa("k".repeat(32));
  try {
    const { databaseUrl } = parseConfig(
      { DATABASE_URL: `mysql://u:${written}@db.example:3307/d`, CREDENTIALS_KEY },
      1,
    );
    const { password, ...rest } = parseDatabaseUrl(databaseUrl) as typeof MYSQL;
    const { password: _, ...expected } = { ...MYSQL, nodes: [{ host: "db.example", port: 3307 }] };
    assert.deepEqual(rest, expected);
    return password;
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    assert.match(error.message, /^DATABASE_URL has .*write # as %23/);
    return null;
  }
}

Deno.test("any password reaches the database when it is percent-encoded", () => {
  fc.assert(fc.property(passwords, (password) => {
    assert.equal(passwordOf(encodeURIComponent(password)), password);
  }));
});

Deno.test("a password that is written as it is reaches the database as it is, or is refused with a sentence about it", () => {
  fc.assert(
    fc.property(passwords.filter((password) => !/%[0-9a-f]{2}/i.test(password)), (password) => {
      const used = passwordOf(password);
      assert.ok(used === null || used === password);
      if (password.includes("#")) assert.equal(used, null);
    }),
    { numRuns: 2_000 },
  );
});
