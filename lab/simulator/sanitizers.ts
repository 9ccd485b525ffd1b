/** For tests without Baileys: nothing may be left, neither timer nor socket. */
export const NOTHING_LEFT = { sanitizeOps: true, sanitizeResources: true, sanitizeExit: true } as const;

/**
 * For tests with Baileys, which leaves timers of up to a minute (time-outs of queries and of the pre-key upload,
 * caches) and offers no way to release them. What the gateway itself leaves, the tests without Baileys tell.
 */
export const BAILEYS_TIMERS_LEFT = {
  sanitizeOps: false,
  sanitizeResources: false,
  sanitizeExit: true,
} as const;
