import assert from "node:assert/strict";
import { DatabaseUnusableError, parseDatabaseUrl } from "../../db/mod.ts";

const MYSQL = {
  dialect: "mysql",
  host: "db.example",
  port: 3306,
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

Deno.test("parseDatabaseUrl() gives every part when the scheme is mysql", () => {
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@db.example/d"), MYSQL);
  assert.deepEqual(parseDatabaseUrl("mariadb://u:p%40%2F%3A@db.example:3307/d?ssl=true&pool=3"), {
    ...MYSQL,
    port: 3307,
    password: "p@/:",
    tls: "verified",
    poolSize: 3,
  });
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@[::1]/d?ssl=skip-verify"), {
    ...MYSQL,
    host: "::1",
    tls: "unverified",
  });
  assert.deepEqual(parseDatabaseUrl("mysql://u:p@db.example/d?ssl-ca=/etc/ca.pem"), {
    ...MYSQL,
    tls: "verified",
    tlsAuthorities: "/etc/ca.pem",
  });
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
    "mysql://u:hunter2@h/d?ssl=maybe",
    "mysql://u:hunter2@h/d?ssl=false&ssl-ca=/etc/ca.pem",
    "mysql://u:hunter2@10.0.0.5/d?ssl=true",
    "mysql://u:hunter2@[::1]/d?ssl-ca=/etc/ca.pem",
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
