// What all charts share: colours from the style sheet, a time axis in the reader's language, and shaded stretches.
import uPlot from "uplot";
import { words } from "../words/language.svelte";
import type { Stretch } from "./columns";

// asking the style sheet costs more than drawing a line
const colours = new Map<string, string>();
let rootPx: number | null = null;
addEventListener("resize", () => (rootPx = null));

/** A colour of the style sheet, as it is now: it changes with light and dark. */
export function colour(name: string): string {
  const { documentElement: root } = document;
  const key = `${root.dataset["theme"] ?? ""} ${name}`;
  let found = colours.get(key);
  if (found === undefined) colours.set(key, (found = getComputedStyle(root).getPropertyValue(`--${name}`).trim()));
  return found;
}

export function remPx(rem: number): number {
  return rem * (rootPx ??= parseFloat(getComputedStyle(document.documentElement).fontSize));
}

export function font(): string {
  return `${Math.round(remPx(0.75))}px system-ui, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif`;
}

const LINE = { stroke: () => colour("line"), width: 1 };

// as uPlot has them, and two minutes: of a telephone's five, every minute is too much and every fifth too little
const HOUR_S = 3600;
const STEPS_S = [
  ...[1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800],
  ...[1, 2, 3, 4, 6, 8, 12, 24, 48, 96, 168, 336, 720].map((hours) => hours * HOUR_S),
];

export function timeAxis(): uPlot.Axis {
  return {
    incrs: STEPS_S,
    stroke: () => colour("muted"),
    font: font(),
    grid: { show: false },
    ticks: { ...LINE, size: 5 },
    border: { show: true, ...LINE },
    space: (_, __, ___, ____, room) => remPx(room < 420 ? 3.3 : 5.5),
    size: remPx(1.7),
    values: (_, splits, __, ___, increment) => splits.map((s) => words.clock(s * 1000, increment < 60)),
  };
}

export function valueAxis(values: uPlot.Axis.Values, splits?: number[]): uPlot.Axis {
  return {
    stroke: () => colour("muted"),
    font: font(),
    grid: LINE,
    ticks: { show: false },
    gap: 6,
    // as wide as usual, so that charts stand in line, unless a number needs more
    size: (_, shown) => Math.max(remPx(3.1), remPx(0.5) * Math.max(0, ...(shown ?? []).map(({ length }) => length)) + 8),
    space: remPx(1.8),
    values,
    ...(splits === undefined ? {} : { splits: () => splits }),
  };
}

/** The numbers of an axis, with as many decimals as the distance between two lines of the grid needs. */
export const numbers: uPlot.Axis.DynamicValues = (_, splits, __, ___, step) => {
  const needed = [0, 1, 2, 3].find((n) => Math.abs(step * 10 ** n - Math.round(step * 10 ** n)) < 1e-6);
  return splits.map((n) => words.number(n, needed ?? 4));
};

/** Room for the outer half of the last time on the axis, and of the highest number. */
export function padding(): uPlot.Padding {
  return [remPx(0.6), remPx(1.7), 0, 0];
}

// Where points stand closer together a wide line would be a blot.
const CROWDED_PX = 2;
const linear = uPlot.paths.linear?.() ?? (() => null);

/**
 * What was measured: thin lines side by side, a tenth of a rem wide. Without a graphics card one wide line that turns at each of
 * 600 points takes 17 ms, these half of one.
 */
export function line(stroke: () => string): uPlot.Series {
  return { stroke, width: 1 / devicePixelRatio, paths: sideBySide, points: { show: false }, spanGaps: false };
}

const sideBySide: uPlot.Series.PathBuilder = (chart, nth, from, to) => {
  const found = linear(chart, nth, from, to);
  const crowded = chart.bbox.width < CROWDED_PX * devicePixelRatio * (to - from);
  if (crowded || !(found?.stroke instanceof Path2D)) return found;
  const width = Math.max(2, Math.round(remPx(0.1) * devicePixelRatio));
  const stroke = new Path2D();
  for (let k = 0; k < width; k++) {
    const away = k - (width - 1) / 2;
    stroke.addPath(found.stroke, new DOMMatrix([1, 0, 0, 1, away, 0]));
    stroke.addPath(found.stroke, new DOMMatrix([1, 0, 0, 1, 0, away]));
  }
  return { ...found, stroke };
};

export const CURSOR: uPlot.Cursor = {
  sync: { key: "kullager" },
  drag: { x: false, y: false },
  y: false,
  points: { size: 8 },
};

function hatch(context: CanvasRenderingContext2D): CanvasPattern | string {
  const tile = document.createElement("canvas");
  const side = Math.round(8 * devicePixelRatio);
  tile.width = tile.height = side;
  const on = tile.getContext("2d");
  if (on === null) return colour("hatch");
  on.strokeStyle = colour("hatch");
  on.lineWidth = 1.5 * devicePixelRatio;
  on.beginPath();
  for (const shift of [-side, 0, side]) {
    on.moveTo(shift, side);
    on.lineTo(shift + side, 0);
  }
  on.stroke();
  return context.createPattern(tile, "repeat") ?? colour("hatch");
}

export function paintStretches(chart: uPlot, all: readonly Stretch[]): void {
  if (all.length === 0) return;
  const { ctx, bbox } = chart;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const fills = { anomalous: colour("bad-shade"), withheld: hatch(ctx) };
  for (const { state, from, to } of all) {
    const [left, right] = [chart.valToPos(from, "x", true), chart.valToPos(to, "x", true)];
    ctx.fillStyle = fills[state];
    ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
  }
  ctx.restore();
}

/** A horizontal limit; not drawn where it lies outside the chart. */
export function paintLimit(chart: uPlot, value: number, name: string, label: string): void {
  const { ctx, bbox } = chart;
  const y = Math.round(chart.valToPos(value, "y", true));
  if (y < bbox.top || y > bbox.top + bbox.height) return;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = colour(name);
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.font = font().replace(/^\d+/, (px) => String(Math.round(Number(px) * devicePixelRatio)));
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.fillText(label, bbox.left + 6 * devicePixelRatio, y - 3 * devicePixelRatio);
  ctx.restore();
}

/** Vertical lines with their names above, in as many rows as it takes for none to cover another. */
export function paintMarks(chart: uPlot, marks: readonly { name: string; hz: number }[]): void {
  const { ctx, bbox } = chart;
  const [size, gap] = [Math.round(remPx(0.75) * devicePixelRatio), 4 * devicePixelRatio];
  const rows: number[] = [];
  const labels: [name: string, x: number, y: number][] = [];
  ctx.save();
  ctx.font = font().replace(/^\d+/, String(size));
  ctx.textAlign = "left";
  ctx.textBaseline = "top";
  ctx.lineWidth = devicePixelRatio;
  for (const { name, hz } of [...marks].sort((a, b) => a.hz - b.hz)) {
    const x = Math.round(chart.valToPos(hz, "x", true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const free = rows.findIndex((end) => end < x);
    const row = free === -1 ? rows.length : free;
    const top = bbox.top + row * (size + gap);
    rows[row] = x + ctx.measureText(name).width + 2 * gap;
    ctx.strokeStyle = colour("line-strong");
    ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(x, top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    labels.push([name, x + gap, top]);
  }
  // above the lines of their neighbours
  for (const [name, x, y] of labels) {
    ctx.fillStyle = colour("surface");
    ctx.fillRect(x, y, ctx.measureText(name).width, size);
    ctx.fillStyle = colour("ink");
    ctx.fillText(name, x, y);
  }
  ctx.restore();
}
