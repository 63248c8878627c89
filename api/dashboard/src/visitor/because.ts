// Why something was noticed, in figures: what has changed since before, by how much, and what has not. Logic alone.
import type { Asset, Signal, Spectrum, SpectrumLine } from "../contracts";
import type { Point } from "../live/trail.svelte";

export interface Change {
  signal: Signal;
  before: number;
  now: number;
  /** mean share of the score of late */
  share: number;
}

export type Evidence =
  | { kind: "line"; line: SpectrumLine; factor: number; sinceMs: number }
  | { kind: "signal"; change: Change; sinceMs: number }
  | { kind: "unlike"; name: string; sinceMs: number };

export interface Because {
  evidence: Evidence | null;
  /** what tells how the machine is run, and has stayed as it was */
  unchanged: Signal[];
  changes: Change[];
}

const BEFORE_S = 120;
const STEADY = 0.06;
const GROWN_LINE = 2;
// what says how a machine is run, rather than how it is
const OPERATION = ["speed", "load", "setpoint", "flow", "feed", "pressure", "power", "cycle_time", "temperature_2"];

function mean(values: readonly number[]): number | null {
  return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
}

function meanOf(points: readonly Point[], name: string): number | null {
  return mean(points.flatMap(({ assessment }) => assessment.measured[name] ?? []));
}

/** When what is wrong began, as far as the assessments tell: the newest stretch that is anomalous [s since 1970]. */
export function onset(points: readonly Point[]): number | null {
  let at: number | null = null;
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i];
    if (point === undefined || point.assessment.state === "normal") break;
    if (point.assessment.state === "anomalous") at = point.t;
  }
  return at;
}

// what goes in rounds (passes, cycles, loads, zones that take turns) is judged over a round of it
const ROUND_S: Record<string, number> = { spindle: 40, compressor: 40, robot: 30, furnace: 60 };
const SHORTEST_S = 10;

function recentS(asset: Asset): number {
  return ROUND_S[asset.class] ?? SHORTEST_S;
}

/** A signal's means before `start` [s since 1970] and of late. */
export function changesOf(asset: Asset, points: readonly Point[], start: number): Change[] {
  const end = points.at(-1)?.t ?? start;
  const before = points.filter(({ t, assessment }) => t < start && t >= start - BEFORE_S && assessment.state !== "anomalous");
  const recent = points.filter(({ t }) => t > Math.max(start, end - recentS(asset)));
  return asset.signals.flatMap((signal) => {
    const [was, now] = [meanOf(before, signal.name), meanOf(recent, signal.name)];
    if (was === null || now === null) return [];
    const share = mean(recent.flatMap(({ assessment }) => assessment.contribution?.[signal.name] ?? [])) ?? 0;
    return [{ signal, before: was, now, share }];
  });
}

export function becauseOf(
  asset: Asset,
  points: readonly Point[],
  start: number,
  /** when the fault was complete, or is now [s since 1970]: what it did, it did until then */
  until: number,
  spectra: { before: Spectrum; now: Spectrum } | null,
): Because {
  const all = changesOf(asset, points, start);
  const changes = all.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share);
  const sinceMs = (until - start) * 1000;
  const lead = changes[0];
  const newest = points.at(-1)?.assessment.contribution ?? {};
  const [guiltiest] = Object.entries(newest).sort(([, a], [, b]) => b - a)[0] ?? [];

  const shakes = lead?.signal.name === "vibration" || asset.waveforms.some(({ name }) => name === guiltiest);
  const line = shakes && spectra !== null ? grownLine(spectra.before, spectra.now) : null;
  let evidence: Evidence | null = null;
  if (line !== null) evidence = { kind: "line", ...line, sinceMs };
  else if (lead !== undefined) evidence = { kind: "signal", change: lead, sinceMs };
  else if (guiltiest !== undefined) evidence = { kind: "unlike", name: guiltiest, sinceMs };

  const unchanged = OPERATION.flatMap((name) => all.filter(({ signal }) => signal.name === name))
    .filter(({ signal, before, now, share }) => {
      if (evidence?.kind === "signal" && evidence.change.signal.name === signal.name) return false;
      return share < 0.15 && Math.abs(now - before) <= STEADY * Math.abs(before) && Math.abs(before) > 0;
    })
    .map(({ signal }) => signal)
    .slice(0, 2);
  return { evidence, unchanged, changes };
}

/** The line of the spectrum that has grown most, where one has clearly. */
function grownLine(before: Spectrum, now: Spectrum): { line: SpectrumLine; factor: number } | null {
  const grown = now.lines.flatMap((line) => {
    const was = before.lines.find(({ name }) => name === line.name)?.amplitude ?? 0;
    return was > 0 ? [{ line, factor: line.amplitude / was, size: line.amplitude }] : [];
  });
  const best = grown.sort((a, b) => b.factor - a.factor)[0];
  return best === undefined || best.factor < GROWN_LINE ? null : { line: best.line, factor: best.factor };
}

export interface Power {
  /** mean of late, and what a healthy machine would take at this work [kW] */
  now: number;
  usual: number;
  /** the difference is larger than those that there were before by chance */
  telling: boolean;
}

const CHANCE_S = 600;
const LEAST_WINDOWS = 4;

/**
 * What a fault adds to the power, or takes: the mean of late against those before `start`, at the same speed. The model's
 * expectation is no measure of this: where other signals are far off, they pull it along.
 */
export function powerOf(asset: Asset, points: readonly Point[], start: number | null): Power | null {
  const signal = asset.signals.find(({ name, unit }) => name === "power" && unit === "kW");
  const end = points.at(-1)?.t;
  if (signal === undefined || end === undefined) return null;
  const windowS = recentS(asset);
  const recent = points.filter(({ t }) => t > Math.max(end - windowS, start ?? 0));
  const now = meanOf(recent, "power");
  if (now === null) return null;
  const calm = { now, usual: now, telling: false };
  if (start === null) return calm;
  const before = points.filter(({ t, assessment }) => t < start && t >= start - CHANCE_S && assessment.state === "normal");
  const speed = meanOf(recent, "speed");
  const windows = new Map<number, Point[]>();
  for (const point of before) {
    const key = Math.floor((start - point.t) / windowS);
    windows.set(key, [...(windows.get(key) ?? []), point]);
  }
  const alike = [...windows.values()].filter((window) => {
    // a spindle's speed is its work, and another one each minute; a pump's is set for many
    const was = asset.class === "pump" ? meanOf(window, "speed") : null;
    return was === null || speed === null || Math.abs(speed - was) <= STEADY * was;
  });
  const chance = alike.flatMap((window) => meanOf(window, "power") ?? []);
  const usual = mean(chance);
  if (usual === null || chance.length < LEAST_WINDOWS) return calm;
  const telling = now > Math.max(...chance) || now < Math.min(...chance);
  return { now, usual, telling };
}
