// A case in plain words.
import type { Case } from "../contracts";
import { words } from "./language.svelte";

const UNSURE = 0.5;

/** Is another fault as likely? */
export function isUnsure({ advice }: Case): boolean {
  return (advice?.sureness ?? 1) < UNSURE;
}

/** What is wrong, as surely as it is known. */
export function caseName(of: Case): string {
  const { advice, fault, text } = of;
  if (fault === null) return words.of(advice?.name ?? text);
  // an advice without a name of its own for a fault has the fault's key
  const own = advice === null ? fault.name : words.of(advice.name);
  const name = own === fault.name ? words.fault(own) : own;
  return isUnsure(of) ? words.text("possibly", { fault: name.charAt(0).toLowerCase() + name.slice(1) }) : name;
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
