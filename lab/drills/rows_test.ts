import assert from "node:assert/strict";
import { faultsOfRows, type Row } from "./rows.ts";

const NOW = "2026-01-04 12:34:56.789";
const LINKED: Row = {
  id: 1,
  instance_id: "sender_51",
  phone_number: "+5491155550001",
  status: "connected",
  qr_status: "used",
  qr_string: null,
  qr_generated_at: NOW,
  qr_expires_at: NOW,
  connected_at: NOW,
  disconnected_at: null,
  last_error_code: null,
  last_error_message: null,
  created_at: NOW,
  updated_at: NOW,
};
const LINK: Row = { instance_id: "sender_51", standing: "working" };
const LOGIN: Row = { instance_id: "sender_51" };

Deno.test("faultsOfRows() finds nothing in what a service leaves", () => {
  assert.deepEqual(faultsOfRows({ sessions: [LINKED], links: [LINK], logins: [LOGIN] }), []);
  assert.deepEqual(faultsOfRows({ sessions: [], links: [], logins: [] }), []);
});

Deno.test("faultsOfRows() tells a link from its halves", () => {
  assert.equal(faultsOfRows({ sessions: [LINKED], links: [], logins: [LOGIN] }).length, 2);
  assert.equal(faultsOfRows({ sessions: [LINKED], links: [LINK], logins: [] }).length, 1);
  assert.equal(faultsOfRows({ sessions: [], links: [LINK], logins: [LOGIN] }).length, 1);
});

Deno.test("faultsOfRows() names what is malformed", () => {
  const wrong: readonly Partial<Record<string, unknown>>[] = [
    { status: "open" },
    { qr_status: "shown" },
    { qr_string: "data:image/png;base64,AAAA" },
    { phone_number: "5491155550001" },
    { connected_at: "yesterday" },
    { updated_at: null },
    { status: "error" },
    { fifteenth: null },
  ];
  for (const change of wrong) {
    const faults = faultsOfRows({ sessions: [{ ...LINKED, ...change }], links: [LINK], logins: [LOGIN] });
    assert.equal(faults.length, 1, JSON.stringify(change));
  }
});
