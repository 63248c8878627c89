// Charts are painted in turns, so that twenty of them do not hold up a frame.

// of script: what it has drawn is painted in the same frame, and takes as long again
const BUDGET_MS = 4;
// the newest wish of each
const waiting = new Map<object, () => void>();
let asked = false;

/** Call `paint` within the next frames, unless another wish of the same chart comes before. */
export function inTurn(chart: object, paint: () => void): void {
  waiting.set(chart, paint);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => void next());
}

/** It is gone. */
export function leave(chart: object): void {
  waiting.delete(chart);
}

async function next(): Promise<void> {
  const end = performance.now() + BUDGET_MS;
  // first: a chart that cannot be painted must not keep the others from asking
  asked = false;
  for (const [chart, paint] of waiting) {
    waiting.delete(chart);
    paint();
    // a new chart is painted when the script has ended
    await null;
    if (performance.now() >= end) break;
  }
  if (waiting.size === 0 || asked) return;
  asked = true;
  requestAnimationFrame(() => void next());
}
