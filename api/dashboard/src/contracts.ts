// What the API says: messages as generated from its OpenAPI document (`python -m api.dashboard_types`), the rest as its examples
// tell. Times are RFC 3339 in UTC, a missing number is null.
import type { components } from "./api";

type Schemas = components["schemas"];

export type State = Schemas["State"];
export type Reason = Schemas["Reason"];
export type Zone = Schemas["Zone"];
export type Fault = Schemas["FaultMode"];
export type RemainingLife = Schemas["RemainingLife"];
export type Assessment = Schemas["Assessment"];
export type AlarmState = Schemas["AlarmState"];
export type Suppression = Schemas["Suppression"];
export type Priority = Schemas["Priority"];
// it has a default, which every edge writes out
export type Alarm = Schemas["Alarm"] & Required<Pick<Schemas["Alarm"], "evidence">>;
export type Advice = Schemas["Advice"];
export type Case = Schemas["Case"];
export type Operation = Schemas["Operation"];
export type ModelStep = Schemas["ModelStep"];
export type ModelAudit = Schemas["ModelAudit"];

export type Language = "sv" | "en";
export type Bilingual = Record<Language, string>;

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
