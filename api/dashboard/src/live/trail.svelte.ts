// The newest stretch of one asset's assessments: fetched as history, then continued by the stream.
import { untrack } from "svelte";
import type { Assessment } from "../contracts";
import { Problem, api, listed } from "../http";
import { plant } from "./plant.svelte";

// as often as a chart of usual width has moved by a pixel
const REPAINT_PX = 400;
const SOONEST_MS = 250;
const LATEST_MS = 1000;
const POINTS = 1200;
// history comes thinned, the stream does not: past this it is fetched thinned again
const MOST_POINTS = 5000;

export interface Point {
  /** s since 1970, as the charts want it */
  t: number;
  assessment: Assessment;
}

export class Trail {
  points: Point[] = [];
  /** counts the changes of `points` */
  version = $state(0);
  loading = $state(true);
  problem = $state<Problem | null>(null);
  /** its history is there, or why it is not */
  readonly fetched: Promise<void>;
  #changed = -Infinity;
  #later: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #unwatch: () => void;
  #repaintMs: number;

  constructor(
    readonly asset: string,
    readonly windowS: number,
  ) {
    this.#repaintMs = Math.min(LATEST_MS, Math.max(SOONEST_MS, (1000 * windowS) / REPAINT_PX));
    this.#unwatch = plant.watch(asset, (assessments) => this.#take(assessments));
    this.fetched = this.#load();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#later);
    this.#unwatch();
  }

  get end(): number {
    return this.points.at(-1)?.t ?? 0;
  }

  async #load(instead = false): Promise<void> {
    // the range ends where the asset's own time does: a replay lives in its recording's time
    const newest = untrack(() => plant.latest[this.asset]?.time);
    if (newest !== undefined) {
      const to = Date.parse(newest) + 1000;
      const query = { from: new Date(to - this.windowS * 1000).toISOString(), to: new Date(to).toISOString(), points: POINTS };
      try {
        const history = await listed(api.GET("/assets/{asset_id}/assessments", { params: { path: { asset_id: this.asset }, query } }));
        if (instead) this.points = [];
        this.#take(history);
        this.problem = null;
      } catch (problem) {
        if (!(problem instanceof Problem)) throw problem;
        this.problem = problem;
      }
    }
    this.loading = false;
  }

  #take(assessments: Assessment[]): void {
    if (this.#stopped || assessments.length === 0) return;
    const added = assessments.map((assessment) => ({ t: Date.parse(assessment.time) / 1000, assessment }));
    const inOrder = added.every((point, i) => point.t > (added[i - 1]?.t ?? this.end));
    if (inOrder) this.points.push(...added);
    else {
      const byTime = new Map([...this.points, ...added].map((point) => [point.t, point]));
      this.points = [...byTime.values()].sort((a, b) => a.t - b.t);
    }
    const from = this.end - this.windowS;
    const keep = this.points.findIndex((point) => point.t >= from);
    if (keep > 0) this.points.splice(0, keep);
    if (this.points.length > MOST_POINTS && !this.loading) {
      this.loading = true;
      void this.#load(true);
    }
    // with what else has changed by this, or else later: each change by itself would be laid out by itself
    if (performance.now() - this.#changed >= this.#repaintMs) this.#change();
    else this.#later ??= setTimeout(() => this.#change(), this.#repaintMs);
  }

  #change(): void {
    clearTimeout(this.#later);
    this.#later = undefined;
    this.#changed = performance.now();
    this.version++;
  }
}
