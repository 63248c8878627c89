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
  | "unknown-recipe"
  | "unknown-operating-point"
  | "no-model";
export type Zone = "A" | "B" | "C" | "D";

/** `by`: the model said so, or what is seen resembles the fault's signature; then `probability` is how much */
export interface Fault {
  name: string;
  probability: number;
  by: "model" | "signature";
}

export interface RemainingLife {
  p10: number;
  p50: number;
  p90: number;
}

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
  /** of the measured vibration alone, after ISO 20816 */
  vibration_zone: Zone | null;
  fault: Fault | null;
  rul_h: RemainingLife | null;
  model: { name: string; version: string } | null;
}

export interface Signal {
  name: string;
  label: Bilingual;
  unit: string;
  limits?: { warning?: number | null; alarm?: number | null } | null;
}

/** A fast signal: it has no single value, only blocks and their spectra. */
export type Waveform = Pick<Signal, "name" | "label" | "unit">;

export interface Asset {
  id: string;
  class: string;
  name: Bilingual;
  signals: Signal[];
  waveforms: Waveform[];
  latest: Assessment | null;
}

export type AlarmState =
  | "normal"
  | "active-unacknowledged"
  | "active-acknowledged"
  | "returned-unacknowledged"
  | "shelved"
  | "suppressed-by-design"
  | "out-of-service";
export type Suppression = "machine-off" | "flood";
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
  suppressed_by: Suppression | null;
  case_id: string | null;
  /** the first alarm of its case */
  first_out: boolean;
  text: Bilingual;
  evidence: { score: number | null; signals: string[] };
}

/** What to do about a fault, until when at the latest, and why; mode, mechanism and cause after ISO 14224. */
export interface Advice {
  name: Bilingual;
  action: Bilingual;
  because: Bilingual;
  mode: string | null;
  mechanism: string | null;
  cause: string | null;
  until: string | null;
  sureness: number | null;
}

/** Everything that one machine's trouble brought about, from its first alarm to its end. */
export interface Case {
  journal: string;
  seq: number;
  asset: string;
  case_id: string;
  state: "open" | "closed";
  opened: string;
  changed: string;
  closed: string | null;
  /** the ids of its alarms, as they came */
  alarms: string[];
  priority: Priority;
  text: Bilingual;
  fault: Fault | null;
  rul_h: RemainingLife | null;
  advice: Advice | null;
  limit_reached: string | null;
  /** how many hours before the fixed alarm limit was reached the case was opened */
  ahead_h: number | null;
}

export type Operation = "running" | "idle" | "changeover" | "off" | "unknown";

/** Energy for a unit of product, over the newest complete lot; `ratio` is value by expected. */
export interface SpecificEnergy {
  since: string;
  recipe: string | null;
  energy: number;
  energy_unit: string;
  amount: number;
  product_unit: string;
  product: string;
  value: number;
  expected: number | null;
  ratio: number | null;
  anomalous: boolean;
}

/** What a machine did in the `period_s` seconds up to `time`. */
export interface Performance {
  journal: string;
  seq: number;
  asset: string;
  time: string;
  period_s: number;
  operation: Operation;
  recipe: string | null;
  specific: SpecificEnergy | null;
}

/** The sums over a longer time. */
export interface PerformanceTotal {
  from: string;
  to: string;
  operation_s: Partial<Record<Operation, number>>;
  withheld_s: Partial<Record<Reason, number>>;
  scored_s: number;
  utilisation: number | null;
  energy: number | null;
  energy_unit: string | null;
  amount: number | null;
  product_unit: string | null;
}

export interface SpectrumLine {
  name: string;
  hz: number;
  amplitude: number;
  /** a line of the envelope's spectrum, not of the signal's own */
  envelope: boolean;
}

/** Amplitude spectra of a block of a fast signal, and of its envelope: bin k lies at k · step. */
export interface Spectrum {
  asset: string;
  signal: string;
  time: string;
  unit: string;
  shaft_hz: number | null;
  step_hz: number;
  amplitude: number[];
  envelope_step_hz: number;
  envelope: number[];
  lines: SpectrumLine[];
}

/** A model that scores beside the one in service and has no say. `agreed` of `scored`: both or neither found an anomaly. */
export interface Shadow {
  version: string;
  since: string;
  instants: number;
  scored: number;
  agreed: number;
}

export type ModelStep = "refused" | "shadow" | "promoted" | "rolled-back" | "withdrawn";

/** One step that a model in service has taken. */
export interface ModelAudit {
  time: string;
  step: ModelStep;
  name: string;
  version: string | null;
  by: string;
  reason: string | null;
}

export interface Model {
  name: string;
  version: string | null;
  role: string;
  assets: string[];
  /** half-width of the expected band, in plant units */
  tolerance: Record<string, number>;
  false_alarms_per_week: number | null;
  /** why there is none in service */
  problem: string | null;
  shadow: Shadow | null;
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
  /** more alarms come than anybody can read, so that some are suppressed */
  flood: boolean;
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
