// The shifts of a day, in the reader's own time.
import type { Span } from "./history";

export const SHIFTS = ["last8", "morning", "afternoon", "night"] as const;
export type Shift = (typeof SHIFTS)[number];

const HOURS = 8;
const BEGINS: Record<Exclude<Shift, "last8">, number> = { morning: 6, afternoon: 14, night: 22 };

/** The newest shift of this name that has begun; it ends now where it is not over. `now` is in ms since 1970. */
export function shiftSpan(shift: Shift, now: number): Span {
  if (shift === "last8") return { from: now - HOURS * 3_600_000, to: now };
  const begin = new Date(now);
  begin.setHours(BEGINS[shift], 0, 0, 0);
  if (begin.getTime() > now) begin.setDate(begin.getDate() - 1);
  const end = new Date(begin);
  end.setHours(end.getHours() + HOURS);
  return { from: begin.getTime(), to: Math.min(now, end.getTime()) };
}
