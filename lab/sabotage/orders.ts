/// <reference lib="deno.worker" />
/**
 * The channels over which a saboteur gets its orders, and the setting of its wall clock.
 * @module
 */
export const orders = new BroadcastChannel("sabotage");
export const settings = new BroadcastChannel("wall clock");
