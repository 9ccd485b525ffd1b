import assert from "node:assert/strict";
import { SocketLine } from "../../sessions/socket_line.ts";
import { ScriptedSockets, settled } from "./scripted_sockets.ts";

function lineOn(sockets: ScriptedSockets) {
  const line = new SocketLine();
  const open = () => {
    let stale = () => false;
    let isGone = false;
    const gone = line.open((isStale) => {
      stale = isStale;
      return sockets.open({ kind: "pair" }, null!);
    }, () => isGone = true);
    return { gone, isStale: () => stale(), isGone: () => isGone, socket: sockets.last("pair") };
  };
  return { line, open };
}

Deno.test("open() closes the socket before and makes its reports stale", () => {
  const { line, open } = lineOn(new ScriptedSockets());
  const first = open();
  assert.equal(first.isStale(), false);
  const second = open();
  assert.deepEqual(first.socket.closed, { unlink: false });
  assert.equal(first.isStale(), true);
  assert.equal(second.isStale(), false);
  assert.equal(line.isTearingDown, true);
});

Deno.test("isTearingDown is true until the connection of a socket that is over is down", async () => {
  const { line, open } = lineOn(new ScriptedSockets());
  const { socket, isGone } = open();
  assert.equal(line.isTearingDown, false);
  line.close(true);
  assert.deepEqual(socket.closed, { unlink: true });
  assert.equal(line.isTearingDown, true);
  assert.equal(line.isConnected, true);
  socket.goes();
  await line.down();
  await settled();
  assert.equal(line.isTearingDown, false);
  assert.equal(line.isConnected, false);
  assert.equal(isGone(), true);
});

Deno.test("ended() leaves a socket that ended by itself to go down, and does not close it", () => {
  const { line, open } = lineOn(new ScriptedSockets());
  const { socket } = open();
  socket.heardAt = 7;
  assert.equal(line.heardAt, 7);
  line.ended();
  assert.equal(line.heardAt, null);
  assert.equal(line.isTearingDown, true);
  assert.equal(line.close(false), null);
  assert.equal(socket.closed, null);
});

Deno.test("close() tells whether WhatsApp has confirmed the unlinking once the connection is down", async () => {
  const { line, open } = lineOn(new ScriptedSockets());
  const { socket } = open();
  const gone = line.close(true);
  socket.goes(true);
  assert.deepEqual(await gone, { unlinked: true });
});
