// The report of a shift: what it is made of, and its first sentence.
import type { Alarm, Assessment, Asset, Case, PerformanceTotal, SystemStatus } from "../contracts";
import { api, listed, told } from "../http";
import { fetchStatus } from "../live/edges";
import { say } from "../words/operations";
import type { Span } from "./history";

const POINTS = 200;

export interface Machine {
  asset: Asset;
  total: PerformanceTotal | null;
  worst: Assessment | null;
}

export interface Report {
  span: Span;
  made: number;
  alarms: Alarm[];
  cases: Case[];
  machines: Machine[];
  status: SystemStatus;
}

export async function reportOf(span: Span, assets: readonly Asset[]): Promise<Report> {
  const asked = { from: new Date(span.from).toISOString(), to: new Date(span.to).toISOString() };
  const [alarms, cases, status, machines] = await Promise.all([
    listed(api.GET("/alarms", { params: { query: { state: "all" } } })),
    listed(api.GET("/cases", { params: { query: { state: "all" } } })),
    fetchStatus(),
    Promise.all(assets.map((asset) => machine(asset, asked))),
  ]);
  const within = (time: string): boolean => Date.parse(time) >= span.from && Date.parse(time) <= span.to;
  return {
    span,
    made: Date.now(),
    alarms: alarms
      .filter(({ raised, state }) => within(raised) || (state !== "normal" && Date.parse(raised) <= span.to))
      .sort((a, b) => Date.parse(a.raised) - Date.parse(b.raised)),
    cases: cases.filter(({ opened, closed, state }) => within(opened) || state === "open" || (closed !== null && within(closed))),
    machines,
    status,
  };
}

async function machine(asset: Asset, asked: { from: string; to: string }): Promise<Machine> {
  const path = { asset_id: asset.id };
  const [performance, history] = await Promise.all([
    told(api.GET("/assets/{asset_id}/performance", { params: { path, query: asked } })),
    listed(api.GET("/assets/{asset_id}/assessments", { params: { path, query: { ...asked, points: POINTS } } })),
  ]);
  const worst = history.filter(({ score }) => score !== null).sort((a, b) => (b.score ?? 0) - (a.score ?? 0))[0];
  return { asset, total: performance.total, worst: worst ?? null };
}

export function sentence({ alarms, machines }: Report): string {
  if (alarms.length === 0) return say("sumCalm", { n: machines.length });
  return say("sumAlarms", {
    alarms: alarms.length,
    machines: new Set(alarms.map(({ asset }) => asset)).size,
    n: machines.length,
    open: alarms.filter(({ state }) => state !== "normal").length,
  });
}
