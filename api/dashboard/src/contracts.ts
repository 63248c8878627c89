// What the API says, as in its OpenAPI document. Times are RFC 3339 in UTC, a missing number is null.

export type Language = "sv" | "en";
export type Bilingual = Record<Language, string>;

export type State = "normal" | "anomalous" | "withheld";
export type Reason =
  | "bad-quality"
  | "stale"
  | "low-coverage"
  | "machine-off"
  | "warming-up"
  | "changeover"
  | "unknown-operating-point"
  | "no-model";
export type Zone = "A" | "B" | "C" | "D";

export interface Assessment {
  edge: string;
  journal: string;
  seq: number;
  asset: string;
  time: string;
  state: State;
  reason: Reason | null;
  /** ≥ 0, 1.0 is the alarm limit; null when withheld */
  score: number | null;
  contribution: Record<string, number> | null;
  measured: Record<string, number | null>;
  expected: Record<string, number> | null;
  known: number | null;
  coverage: number;
  health: number | null;
  zone: Zone | null;
  fault: { name: string; probability: number } | null;
  rul_h: { p10: number; p50: number; p90: number } | null;
  model: { name: string; version: string } | null;
}

export interface Signal {
  name: string;
  label: Bilingual;
  unit: string;
  limits?: { warning?: number | null; alarm?: number | null } | null;
}

export interface Asset {
  id: string;
  class: string;
  name: Bilingual;
  signals: Signal[];
  latest: Assessment | null;
}

export type AlarmState =
  "normal" | "active-unacknowledged" | "active-acknowledged" | "returned-unacknowledged" | "shelved" | "out-of-service";
export type Priority = "low" | "medium" | "high" | "critical";

export interface Alarm {
  journal: string;
  seq: number;
  asset: string;
  alarm_id: string;
  rule: string;
  priority: Priority;
  state: AlarmState;
  raised: string;
  changed: string;
  by: string | null;
  comment: string | null;
  shelved_until: string | null;
  text: Bilingual;
  evidence: { score: number | null; signals: string[] };
}

export interface Model {
  name: string;
  version: string | null;
  role: string;
  assets: string[];
  /** half-width of the expected band, in plant units */
  tolerance: Record<string, number>;
  false_alarms_per_week: number | null;
}

export interface Source {
  state: "connecting" | "connected" | "disconnected" | "refused";
  since: string;
  clock_offset_s: number | null;
  last_sample: string | null;
  samples: number;
  rejected: Record<string, number>;
  problem: string | null;
}

export interface EdgeStatus {
  edge: string;
  online: boolean;
  time: string;
  version: string;
  sources: Record<string, Source>;
}

export interface SystemStatus {
  edges: EdgeStatus[];
  broker: { url: string; connected: boolean; since: string; problem: string | null };
}

export interface CatalogueFault {
  asset: string;
  fault: string;
  name: Bilingual;
  description: Bilingual | null;
  active: boolean;
}
