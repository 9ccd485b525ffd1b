/**
 * Takes from this thread what the runtime asks no permission for, before anything else loads. The permissions are the
 * sandbox; this closes what they leave open in this version of the runtime. The sandbox's test tries each of them.
 * @module
 */
import { closeSync } from "node:fs";
import process from "node:process";
import { Worker as NodeWorker } from "node:worker_threads";

/** @throws {Deno.errors.NotCapable} always, as for a permission that is not there */
function refuse(): never {
  throw new Deno.errors.NotCapable("A socket worker does without.");
}

/** What a class of the runtime extends from now on. */
class Refusal {
  constructor() {
    refuse();
  }
}

/** Makes a class that extends another one fail at its first step, by whatever name it is reached. */
function forbidClass(closed: object): void {
  Object.setPrototypeOf(closed, Refusal);
  Object.preventExtensions(closed); // what it extended cannot be given back
}

function put(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: false, configurable: false });
}

// Threads of its own would have none of this taken from them. Channels reach other workers.
for (const closed of [Worker, NodeWorker, BroadcastChannel]) forbidClass(closed);

// Of its own process, a thread may kill whatever it has permission for. All ways to do so lead through these two.
put(process, "_kill", refuse);
put(Deno, "kill", refuse);
// Also where a listener for a signal ends up that is added by `process.on`.
put(Deno, "addSignalListener", refuse);

// Files in the runtime's own folder; pictures and the graphics card; locks that other threads wait for.
for (const name of ["caches", "OffscreenCanvas", "createImageBitmap"]) put(globalThis, name, undefined);
for (const name of ["gpu", "locks"]) put(Object.getPrototypeOf(navigator), name, undefined);

// The runtime's insides.
put(Deno, (Deno as unknown as { internal: symbol }).internal, undefined);

// What it prints would stand among the service's log lines. These are its own, the process keeps its.
for (const name of Object.keys(console) as (keyof Console)[]) {
  if (typeof console[name] === "function") console[name] = () => {};
}
for (const descriptor of [0, 1, 2]) closeSync(descriptor);
