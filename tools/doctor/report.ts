/**
 * What the doctor says: one line a check.
 * @module
 */

/** What a check found out. */
export interface Check {
  readonly name: string;
  /** A fault keeps the service from its work; a warning does not, and is worth a look. */
  readonly outcome: "ok" | "warning" | "fault";
  /** One sentence or two. Never a secret. */
  readonly saw: string;
  /** What to do about it; every fault has it. */
  readonly todo?: string;
}

/**
 * A check that found nothing wrong.
 * @param saw what it found, in a sentence
 */
export function ok(name: string, saw: string): Check {
  return { name, outcome: "ok", saw };
}

/**
 * A check that found something to look at; the service runs all the same.
 * @param saw what it found, in a sentence
 * @param todo what to do about it, where that is not part of `saw`
 */
export function warning(name: string, saw: string, todo?: string): Check {
  return { name, outcome: "warning", saw, ...(todo === undefined ? {} : { todo }) };
}

/**
 * A check that found what keeps the service from running.
 * @param saw what it found, in a sentence
 * @param todo what to do about it
 */
export function fault(name: string, saw: string, todo: string): Check {
  return { name, outcome: "fault", saw, todo };
}

/** A check that needs something which another check did not find. */
export function notChecked(name: string, why: string): Check {
  return warning(name, `Not checked: ${why}.`);
}

/** 0 without a fault, 1 otherwise. */
export function exitCode(checks: readonly Check[]): 0 | 1 {
  return checks.some(({ outcome }) => outcome === "fault") ? 1 : 0;
}

/** A check as a line. */
function lineOf({ name, outcome, saw, todo }: Check): string {
  const text = todo === undefined ? saw : `${saw} ${todo}`;
  return `${outcome.padEnd(8)} ${name.padEnd(14)} ${text.replaceAll(/\s*\n\s*/g, " ")}`;
}

/** Prints the checks, as lines or as one JSON document. */
export function print(checks: readonly Check[], asJson: boolean): void {
  if (asJson) console.info(JSON.stringify({ ok: exitCode(checks) === 0, checks }, null, 2));
  else for (const check of checks) console.info(lineOf(check));
}
