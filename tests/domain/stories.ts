/**
 * Arbitrary stories: where a session begins, and what happens to it. Plain data as well, so that a failing
 * case can be read and shrinks well.
 * @module
 */
import fc from "fast-check";
import { createSession, type Session } from "../../domain/session.ts";
import type { DisconnectCause } from "../../domain/disconnect.ts";
import type { Link } from "../../domain/snapshot.ts";
import type { SessionEvent } from "../../domain/events.ts";
import { causes, events, gaps, randoms, sessions, START } from "./arbitraries.ts";

/** Where a story begins: a session just created, or one that a start finds in its store. */
export type Beginning =
  | { readonly kind: "created"; readonly session: Session }
  | {
    readonly kind: "stored";
    readonly session: Session;
    readonly link: Link;
    readonly predecessor: boolean;
  };

export const beginnings: fc.Arbitrary<Beginning> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.constant({ kind: "created" as const, session: createSession("sender_51", START) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("stored" as const),
      session: sessions,
      link: fc.constantFrom<Link>("working", "working", "working", "suspended", "none"),
      held: fc.boolean(),
      // An older login is held only for the sake of a newer one.
    }).map(({ held, ...rest }) => ({ ...rest, predecessor: held && rest.link !== "none" })),
  },
);

/**
 * One step of a story. `due` is a tick at the very instant that was asked for; `smooth` is what comes
 * next where all goes well, without which few stories would ever get as far as a login. `of` names what goes
 * on, where more than one thing may: the login, the QR that is asked for and shown, or the scan.
 */
export type Step =
  | {
    readonly kind: "event";
    readonly gap: number;
    readonly random: number;
    readonly event: SessionEvent;
    readonly tearingDown: boolean;
  }
  /** Somebody sets the wall clock; no time passes. */
  | { readonly kind: "clock_set"; readonly byMs: number }
  | { readonly kind: "due"; readonly random: number }
  | {
    readonly kind: "smooth";
    readonly of: "login" | "qr" | "scan";
    readonly gap: number;
    readonly random: number;
  }
  /** The login's socket ends; where there is none, the pairing socket. */
  | {
    readonly kind: "lost";
    readonly gap: number;
    readonly random: number;
    readonly cause: DisconnectCause;
  }
  | { readonly kind: "restart"; readonly gap: number; readonly random: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant("event" as const),
      gap: gaps,
      random: randoms,
      event: events,
      tearingDown: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("due" as const), random: randoms }) },
  {
    weight: 16,
    arbitrary: fc.record({
      kind: fc.constant("smooth" as const),
      of: fc.constantFrom("login" as const, "login" as const, "qr" as const, "scan" as const),
      gap: gaps,
      random: randoms,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("lost" as const),
      gap: gaps,
      random: randoms,
      cause: causes,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("clock_set" as const),
      byMs: fc.oneof(fc.integer({ min: -200, max: 200 }), fc.constantFrom(-3_600_000, 86_400_000)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const), gap: gaps, random: randoms }) },
);

const next = (of: "login" | "qr" | "scan"): Step => ({ kind: "smooth", of, gap: 1, random: 0 });
const lost = (code = 428): Step => ({
  kind: "lost",
  gap: 1,
  random: 0,
  cause: { origin: "whatsapp", code },
});

/** Linked, if need be, and logged in. */
const ONLINE = [next("scan"), next("scan"), next("scan"), next("scan"), next("login")];
/** A QR is shown, the login having dropped. */
const BESIDE = [...ONLINE, lost(), next("qr"), next("qr")];
/** The same, and the login opens again. */
const RETURNING = [...BESIDE, next("login"), next("login")];
/** A new login opens for the first time, an older one being held for its sake. */
const HELD = [...BESIDE, next("scan"), next("scan")];

/** How a story may begin, so that enough of them get to where two things go on. */
const preludes = fc.constantFrom<readonly Step[]>(
  [],
  [],
  [],
  ONLINE,
  BESIDE,
  RETURNING,
  [...RETURNING, lost(403)],
  [...RETURNING, lost(405)],
  HELD,
  // The new login has dropped, and opens again beside a QR that is shown, or still to come.
  [...HELD, lost(), next("qr"), next("qr"), next("login"), next("login")],
  [...HELD, lost(), next("qr"), next("login"), next("login")],
);

/** Whole stories; without bias, which would make most of them too short to get anywhere. */
export const steps: fc.Arbitrary<Step[]> = fc.tuple(
  preludes,
  fc.noBias(fc.array(step, { minLength: 1, maxLength: 40, size: "max" })),
).map(([prelude, story]) => [...prelude, ...story]);
