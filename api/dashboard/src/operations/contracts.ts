// What /operations alone asks of the API, as in its OpenAPI document.
import type { Alarm, EdgeStatus, Priority, Reason, Source, SystemStatus } from "../contracts";

export interface SourceInFull extends Source {
  /** what its server does otherwise than was asked, though nothing is wrong */
  notes?: string[];
  /** values that were read back after an absence */
  recovered?: number;
  /** signals that bring nothing now */
  silent?: number;
}

export interface EdgeInFull extends Omit<EdgeStatus, "sources"> {
  sources: Record<string, SourceInFull>;
  journal: { id: string; last_seq: number; trimmed_before: number; problem: string | null } | null;
  recording: { samples: number; lost: number; problem: string | null } | null;
  /** values that no instant could use, by reason */
  refused: Record<string, number>;
  plant_problem: string | null;
  outputs: Record<string, string | null>;
  /** by name, when they end; an older edge does not say */
  certificates?: Record<string, { until: string }>;
}

export interface StatusInFull extends Omit<SystemStatus, "edges"> {
  edges: EdgeInFull[];
  database: { problem: string | null };
  journals: { edge: string; journal: string; contiguous: number; announced: number; missing: number }[];
  losses: { edge: string; journal: string; first: number; last: number; reason: string; noticed: string }[];
  ingest: { messages: number; stored: number; rejected: Record<string, number>; last_rejected: string | null };
  stream: { clients: number; resyncs: number };
}

/** How well the alarms serve, after ISA-18.2; shares are 0..1 of the periods of ten minutes. */
export interface AlarmPerformance {
  from: string;
  to: string;
  periods: number;
  alarms: number;
  /** how many periods had 0, 1, 2 … alarms; the last: so many or more */
  per_period: number[];
  mean: number;
  most: number;
  acceptable: number;
  manageable: number;
  over_10: number;
  floods: number;
  flood_share: number;
  chattering: { asset: string; rule: string; count: number }[];
  fleeting: number;
  stale: number;
  standing: number;
  suppressed: number;
  frequent: { asset: string; rule: string; count: number }[];
  by_priority: Partial<Record<Priority, number>>;
}

export interface AlarmInFull {
  alarm: Alarm;
  history: Alarm[];
}

/** How complete a signal was. `strip`: share of the instants with a value, in equal parts of the time; null where none was. */
export interface SignalQuality {
  signal: string;
  present: number;
  /** when it had a value last */
  last: string | null;
  longest_gap_s: number;
  strip: (number | null)[];
}

export interface Quality {
  asset: string;
  from: string;
  to: string;
  instants: number;
  withheld: Partial<Record<Reason, number>>;
  signals: SignalQuality[];
}

export type Verdict = "right" | "false" | "unclear";

export type Condition = "healthy" | "fault" | "failed" | "unknown";

/** What was the case with a machine, as people said it. */
export interface Label {
  id: number;
  asset: string;
  from: string;
  /** null: it still holds */
  to: string | null;
  label: Condition;
  fault: string | null;
  alarm_id: string | null;
  verdict: Verdict | null;
  comment: string | null;
  made: string;
  by: string;
}
