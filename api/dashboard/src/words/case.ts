// A case in plain words.
import type { Case } from "../contracts";
import { words } from "./language.svelte";

/** What is wrong: the advice's own name of the fault, unless that is no more than the fault's key. */
export function caseName({ advice, fault, text }: Case): string {
  if (advice === null) return fault === null ? words.of(text) : words.fault(fault.name);
  const name = words.of(advice.name);
  return name === fault?.name ? words.fault(name) : name;
}

export interface Deadline {
  /** the time is up, or never was */
  now: boolean;
  time: string;
  left: string;
}

/** Until when at the latest to act; null where nobody knows. `now` is in ms since 1970. */
export function deadline({ advice }: Case, now: number): Deadline | null {
  if (advice === null || advice.until === null) return null;
  const until = Date.parse(advice.until);
  return { now: until <= now, time: words.moment(until, now), left: words.duration((until - now) / 1000) };
}

/** The case on one line: what is wrong, and until when to act. */
export function caseLine(of: Case, now: number): string {
  const fault = caseName(of);
  const due = deadline(of, now);
  if (due === null) return words.text("caseLineOpen", { fault });
  return due.now ? words.text("caseLineNow", { fault }) : words.text("caseLine", { fault, time: due.time });
}

/** How much sooner the case was opened than a fixed limit would have told. */
export function lead({ limit_reached, ahead_h }: Case): string {
  if (limit_reached === null || ahead_h === null) return words.text("limitNotReached");
  if (ahead_h <= 0) return words.text("atLimit");
  return words.text("aheadOfLimit", { time: words.duration(ahead_h * 3600) });
}
