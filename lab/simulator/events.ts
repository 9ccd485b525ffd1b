/**
 * What happens at the gateway. `attempt`: a TCP connection arrived. `handshake`: the client said who it is.
 * `pairing`: it was sent its refs. `scanned`: a phone took one of them. `paired`: the client signed. `login`: it
 * was told `success`. `online`: it has asked all that it asks before it is open. `overlap`: a login while the
 * device's earlier socket was open. `failure`: it was told why not. `logout`: a device removed itself. `unlinked`:
 * its phone did. `ping`: a keep-alive was answered. `refused`: a fault turned away the attempt. `closed`: the
 * WebSocket is gone.
 */
export const EVENT_KINDS = [
  "attempt",
  "refused",
  "handshake",
  "pairing",
  "scanned",
  "paired",
  "login",
  "online",
  "overlap",
  "failure",
  "logout",
  "unlinked",
  "ping",
  "closed",
] as const;

/** One of {@linkcode EVENT_KINDS}. */
export type EventKind = typeof EVENT_KINDS[number];

/** One thing that happened. */
export interface GatewayEvent {
  readonly kind: EventKind;
  /** Milliseconds, UTC. */
  readonly at: number;
  /** The connection's id, counted from 1 in order of arrival. */
  readonly connection: number;
  /** E.164; null while unknown. */
  readonly phone: string | null;
  /** The device's jid; null while unknown. */
  readonly device: string | null;
  /** The reason of a `failure`. */
  readonly code?: number;
}

/** Which event `when` waits for, and for how long. */
export interface EventFilter {
  readonly phone?: string;
  readonly device?: string;
  readonly connection?: number;
  /** The nth match from now on; 1 when omitted. */
  readonly nth?: number;
  /** Milliseconds; 300 000 when omitted: it only ends what hangs. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 300_000;

interface Waiter {
  readonly kind: EventKind;
  readonly filter: EventFilter;
  remaining: number;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly resolve: (event: GatewayEvent) => void;
  readonly reject: (error: Error) => void;
}

/** Tells listeners and waiters what happens. */
export class EventHub {
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  readonly #waiters = new Set<Waiter>();

  emit(event: GatewayEvent): void {
    for (const waiter of this.#waiters) {
      if (!matches(waiter, event)) continue;
      waiter.remaining--;
      if (waiter.remaining > 0) continue;
      this.#release(waiter);
      waiter.resolve(event);
    }
    for (const listener of this.#listeners) listener(event);
  }

  on(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** @throws {Error} after the time-out, or when the hub stops */
  when(kind: EventKind, filter: EventFilter = {}): Promise<GatewayEvent> {
    const timeoutMs = filter.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const promise = new Promise<GatewayEvent>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(new Error(`no '${kind}' event within ${timeoutMs} ms`));
      }, timeoutMs);
      const waiter: Waiter = { kind, filter, remaining: filter.nth ?? 1, timer, resolve, reject };
      this.#waiters.add(waiter);
    });
    // A waiter that nobody awaits any more must not bring the process down when the gateway stops.
    promise.catch(() => {});
    return promise;
  }

  stop(): void {
    for (const waiter of this.#waiters) {
      this.#release(waiter);
      waiter.reject(new Error(`the gateway stopped while '${waiter.kind}' was awaited`));
    }
    this.#listeners.clear();
  }

  #release(waiter: Waiter): void {
    clearTimeout(waiter.timer);
    this.#waiters.delete(waiter);
  }
}

function matches({ kind, filter }: Waiter, event: GatewayEvent): boolean {
  return event.kind === kind &&
    (filter.phone === undefined || filter.phone === event.phone) &&
    (filter.device === undefined || filter.device === event.device) &&
    (filter.connection === undefined || filter.connection === event.connection);
}
