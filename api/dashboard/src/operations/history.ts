// The address of a stretch of a machine's history, and what it means.

export const PRESETS_S = { "1h": 3_600, "8h": 28_800, "24h": 86_400, "7d": 604_800, "30d": 2_592_000 } as const;
export type Preset = keyof typeof PRESETS_S;
export const COMPARISONS = { none: 0, before: -1, day: 86_400, week: 604_800 } as const;
export type Comparison = keyof typeof COMPARISONS;

/** ms since 1970 */
export interface Span {
  from: number;
  to: number;
}

/** What an address asks for; `preset` is a length that ends now. */
export interface Asked extends Span {
  preset: Preset | null;
}

const AROUND_ALARM_MS = 15 * 60_000;
const SHORTEST_MS = 10_000;

export function isPreset(text: string | null): text is Preset {
  return text !== null && text in PRESETS_S;
}

/** What the address asks for: two times, or a length that ends now (`preset`). Times that make no sense are not taken. */
export function asked(query: URLSearchParams, now: number): Asked {
  const [from, to] = [Date.parse(query.get("from") ?? ""), Date.parse(query.get("to") ?? "")];
  if (to - from >= SHORTEST_MS) return { from, to, preset: null };
  const range = query.get("range");
  const preset = isPreset(range) ? range : "1h";
  return { from: now - PRESETS_S[preset] * 1000, to: now, preset };
}

/** The period that another one is held against; null without one. */
export function compared({ from, to }: Span, comparison: Comparison): Span | null {
  if (comparison === "none") return null;
  const back = comparison === "before" ? to - from : COMPARISONS[comparison] * 1000;
  return { from: from - back, to: to - back };
}

export function comparisonOf(query: URLSearchParams): Comparison {
  const text = query.get("compare") ?? "none";
  return text in COMPARISONS ? (text as Comparison) : "none";
}

export function inAddress({ from, to }: Span): { from: string; to: string; range: null } {
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString(), range: null };
}

/** The history of a machine, round an instant [ms since 1970] where there is one. */
export function historyAddress(asset: string, around?: number): string {
  const path = `#/operations/history/${encodeURIComponent(asset)}`;
  if (around === undefined) return path;
  const { from, to } = inAddress({ from: around - AROUND_ALARM_MS, to: around + AROUND_ALARM_MS });
  return `${path}?${new URLSearchParams({ from, to })}`;
}
