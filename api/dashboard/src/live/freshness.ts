// How old the newest value of an asset is.
import type { Assessment } from "../contracts";

const STALE_AFTER_S = 10;
const DAY_S = 86_400;
// an assessment that arrives now but is this much older comes out of a recording
const RECORDING_S = 600;

export type Freshness =
  | { kind: "fresh"; time: number }
  | { kind: "recording"; time: number }
  | { kind: "stale"; ageS: number; time: number; long: boolean };

/** `arrived`: when it came in over the stream, if it did. All times in ms since 1970. */
export function freshness(assessment: Assessment, arrived: number | undefined, now: number): Freshness {
  const time = Date.parse(assessment.time);
  const ageS = (now - Math.max(time, arrived ?? 0)) / 1000;
  if (ageS > STALE_AFTER_S) return { kind: "stale", ageS, time: Math.max(time, arrived ?? 0), long: ageS > DAY_S };
  return { kind: (now - time) / 1000 > RECORDING_S ? "recording" : "fresh", time };
}
