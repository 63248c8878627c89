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

interface Rows {
  gap: number;
  time: number[];
  /** null where values are missing for long, which breaks the lines */
  points: (Point | null)[];
}

// all charts of a page ask this of the same points, one after another
const known = new WeakMap<readonly Point[], { n: number; end: number; rows: Rows }>();

function rowsOf(points: readonly Point[]): Rows {
  const [n, end] = [points.length, points.at(-1)?.t ?? 0];
  let found = known.get(points);
  if (found?.n !== n || found.end !== end) known.set(points, (found = { n, end, rows: broken(points) }));
  return found.rows;
}

function broken(points: readonly Point[]): Rows {
  const rows: Rows = { gap: Math.max(SHORTEST_GAP_S, GAP_STEPS * usualStep(points)), time: [], points: [] };
  let before = Infinity;
  for (const point of points) {
    if (point.t - before > rows.gap) {
      rows.time.push((point.t + before) / 2);
      rows.points.push(null);
    }
    before = point.t;
    rows.time.push(point.t);
    rows.points.push(point);
  }
  return rows;
}

/** Time and one column for each `pick`; where values are missing for long, a row of nulls breaks the lines. */
export function columns(points: readonly Point[], picks: ((point: Point) => number | null)[]): [number[], ...Column[]] {
  const { time, points: rows } = rowsOf(points);
  return [time, ...picks.map((pick) => rows.map((point) => (point === null ? null : pick(point))))];
}

/** Where the asset was anomalous, and where nothing could be said. */
export function stretches(points: readonly Point[]): Stretch[] {
  const found: Stretch[] = [];
  const { gap } = rowsOf(points);
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
