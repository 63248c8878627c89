// From assessments to the columns and stretches that charts draw. Logic alone.
import type { State } from "../contracts";
import type { Point } from "../live/trail.svelte";

export type Column = (number | null)[];

export interface Stretch {
  state: Exclude<State, "normal">;
  from: number;
  to: number;
}

/** The usual distance between points [s]; half as many again and more between two is a gap. */
function usualStep(points: readonly Point[]): number {
  const steps = points.slice(1).map((point, i) => point.t - (points[i]?.t ?? 0));
  return steps.sort((a, b) => a - b)[Math.floor(steps.length * 0.75)] ?? 1;
}

const GAP_STEPS = 4;
const SHORTEST_GAP_S = 3;

// all charts of a page ask this of the same points, one after another
let known = { points: [] as readonly Point[], n: 0, end: 0, gap: SHORTEST_GAP_S };

function gapS(points: readonly Point[]): number {
  const [n, end] = [points.length, points.at(-1)?.t ?? 0];
  if (known.points !== points || known.n !== n || known.end !== end) {
    known = { points, n, end, gap: Math.max(SHORTEST_GAP_S, GAP_STEPS * usualStep(points)) };
  }
  return known.gap;
}

/** Time and one column for each `pick`; where values are missing for long, a row of nulls breaks the lines. */
export function columns(points: readonly Point[], picks: ((point: Point) => number | null)[]): [number[], ...Column[]] {
  const time: number[] = [];
  const picked: Column[] = picks.map(() => []);
  const gap = gapS(points);
  let before = Infinity;
  for (const point of points) {
    if (point.t - before > gap) {
      time.push((point.t + before) / 2);
      for (const column of picked) column.push(null);
    }
    before = point.t;
    time.push(point.t);
    picks.forEach((pick, i) => picked[i]?.push(pick(point)));
  }
  return [time, ...picked];
}

/** Where the asset was anomalous, and where nothing could be said. */
export function stretches(points: readonly Point[]): Stretch[] {
  const found: Stretch[] = [];
  const gap = gapS(points);
  const step = usualStep(points);
  points.forEach((point, i) => {
    const { state } = point.assessment;
    if (state === "normal") return;
    const next = points[i + 1]?.t;
    const to = next === undefined || next - point.t > gap ? point.t + step : next;
    const last = found.at(-1);
    if (last !== undefined && last.state === state && last.to >= point.t) last.to = to;
    else found.push({ state, from: point.t, to });
  });
  return found;
}
