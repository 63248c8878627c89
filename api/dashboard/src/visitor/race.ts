// Who noticed a fault when, out of what was really measured and said. Logic alone.
import type { Asset, Episode } from "../contracts";
import type { Point } from "../live/trail.svelte";

/** Times in ms since 1970; null for what has not happened. */
export interface Race {
  fault: string;
  began: number | null;
  /** the first assessment that was anomalous */
  noticed: number | null;
  /** when kullager began to say which fault it is, as it still says */
  named: { at: number; fault: string } | null;
  /** the first signal that reached its fixed alarm limit */
  limit: { at: number; signal: string } | null;
  hasLimits: boolean;
  fails: number | null;
  failed: boolean;
  repaired: number | null;
  /** it was abnormal already when the fault began, and has not been well since */
  illBefore: boolean;
  sudden: boolean;
}

// a name counts when it is said so often in a row
const SAID = 3;
const SUDDEN_MS = 1500;

function ms(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}

export function raceOf(asset: Asset, episode: Episode, points: readonly Point[], now: number): Race {
  const [began, fails, repaired] = [ms(episode.began), ms(episode.fails), ms(episode.repaired)];
  const limited = asset.signals.filter(({ limits }) => typeof limits?.alarm === "number");
  const race: Race = {
    fault: episode.fault,
    began,
    noticed: null,
    named: null,
    limit: null,
    hasLimits: limited.length > 0,
    fails,
    failed: episode.severity >= 1 || (fails !== null && repaired === null && now >= fails),
    repaired,
    illBefore: false,
    sudden: began !== null && fails !== null && fails - began < SUDDEN_MS,
  };
  if (began === null) return race;
  const start = began / 1000;
  const before = points.filter(({ t }) => t < start).at(-1);
  const during = points.filter(({ t }) => t >= start && (repaired === null || t <= repaired / 1000));
  race.illBefore = before?.assessment.state === "anomalous";
  // what is abnormal from before is no notice of this fault: the machine must have been well in between
  const well = race.illBefore ? during.findIndex(({ assessment }) => assessment.state === "normal") : 0;
  const first = well < 0 ? undefined : during.slice(well).find(({ assessment }) => assessment.state === "anomalous");
  race.noticed = first === undefined ? null : first.t * 1000;
  race.illBefore &&= well < 0;
  race.named = race.noticed === null ? null : nameOf(during.filter(({ t }) => t * 1000 >= (race.noticed ?? 0)));

  for (const { t, assessment } of during) {
    const crossed = limited.find(({ name, limits }) => {
      const [value, was, limit] = [assessment.measured[name], before?.assessment.measured[name], limits?.alarm ?? Infinity];
      return typeof value === "number" && value >= limit && !(typeof was === "number" && was >= limit);
    });
    if (crossed !== undefined) {
      race.limit = { at: t * 1000, signal: crossed.name };
      break;
    }
  }
  return race;
}

/** The name that was said last, and since when it has been said without another one in between. */
function nameOf(points: readonly Point[]): Race["named"] {
  const said = points.flatMap(({ t, assessment: { state, fault } }) =>
    state === "anomalous" && fault !== null ? [{ at: t * 1000, fault: fault.name }] : [],
  );
  // the name that was said most often of late: one word among many does not undo it
  const counts = new Map<string, number>();
  for (const { fault } of said.slice(-15)) counts.set(fault, (counts.get(fault) ?? 0) + 1);
  const [last] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (last === undefined) return null;
  const at = said.findIndex((_, i) => i + SAID <= said.length && said.slice(i, i + SAID).every(({ fault }) => fault === last));
  return said[at] ?? null;
}
