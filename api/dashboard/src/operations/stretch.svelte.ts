// A stretch of a machine's history, thinned by the server so that peaks and withheld spans survive.
import type { Alarm } from "../contracts";
import { Problem, api, listed } from "../http";
import type { Point } from "../live/trail.svelte";
import type { Span } from "./history";

const POINTS = 800;

export class Stretch {
  points = $state.raw<Point[]>([]);
  loading = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** how long the newest fetch took [ms] */
  tookMs = $state(0);
  /** what `points` are of */
  span = $state.raw<Span | null>(null);
  #asked = 0;

  /** Only what was asked for last counts: an answer that was overtaken is dropped. */
  async load(asset: string, span: Span | null): Promise<void> {
    const turn = ++this.#asked;
    if (span === null) {
      this.points = [];
      this.span = this.problem = null;
      return;
    }
    const query = { from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString(), points: POINTS };
    this.loading = true;
    const begun = performance.now();
    try {
      const found = await listed(api.GET("/assets/{asset_id}/assessments", { params: { path: { asset_id: asset }, query } }));
      if (turn !== this.#asked) return;
      this.points = found.map((assessment) => ({ t: Date.parse(assessment.time) / 1000, assessment }));
      this.span = span;
      this.problem = null;
      this.tookMs = performance.now() - begun;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (turn === this.#asked) this.problem = problem;
    } finally {
      if (turn === this.#asked) this.loading = false;
    }
  }
}

/** The alarms of a machine that were raised in a span, the oldest first. */
export async function alarmsIn(asset: string, { from, to }: Span): Promise<Alarm[]> {
  const all = await listed(api.GET("/alarms", { params: { query: { state: "all", asset } } }));
  return all
    .filter(({ raised }) => Date.parse(raised) >= from && Date.parse(raised) <= to)
    .sort((a, b) => Date.parse(a.raised) - Date.parse(b.raised));
}
