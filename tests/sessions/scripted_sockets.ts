/**
 * A socket layer whose sockets a test drives.
 * @module
 */
import type {
  ClosedConnection,
  Purpose,
  Socket,
  SocketLayer,
  SocketListener,
} from "../../sessions/ports/sockets.ts";

/** One socket, from the test's side. */
export class ScriptedSocket implements Socket {
  readonly purpose: Purpose;
  /** The product's listener. */
  readonly listener: SocketListener;
  heardAt: number | null = null;
  /** How the product has closed it; null as long as it has not. */
  closed: { unlink: boolean } | null = null;
  /** Whether its connection is down. */
  isDown = false;
  /** Called when the product closes it. */
  onClose: () => void = () => {};
  readonly #gone = Promise.withResolvers<ClosedConnection>();
  readonly gone = this.#gone.promise;

  constructor(purpose: Purpose, listener: SocketListener) {
    this.purpose = purpose;
    this.listener = listener;
  }

  close(options: { unlink: boolean }): void {
    if (this.closed !== null) return;
    this.closed = options;
    this.onClose();
  }

  /** Its connection is down. */
  goes(unlinked = false): void {
    this.isDown = true;
    this.#gone.resolve({ unlinked });
  }
}

export class ScriptedSockets implements SocketLayer {
  readonly opened: ScriptedSocket[] = [];
  onOpen: (socket: ScriptedSocket) => void = () => {};
  onClose: (socket: ScriptedSocket) => void = () => {};

  open(purpose: Purpose, listener: SocketListener): ScriptedSocket {
    const socket = new ScriptedSocket(purpose, listener);
    socket.onClose = () => this.onClose(socket);
    this.opened.push(socket);
    this.onOpen(socket);
    return socket;
  }

  /** The last socket of this kind. @throws {Error} when there is none */
  last(kind: Purpose["kind"]): ScriptedSocket {
    const socket = this.opened.findLast(({ purpose }) => purpose.kind === kind);
    if (socket === undefined) throw new Error(`No socket was opened to ${kind}.`);
    return socket;
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}
