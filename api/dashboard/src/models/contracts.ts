// What /models alone asks of the API, as in its OpenAPI document.
import type { Model, Shadow } from "../contracts";
import type { Role } from "../live/operator.svelte";

export interface ShadowInFull extends Shadow {
  sha256: string;
  /** instants at which each of them found an anomaly */
  anomalous: number;
  champion_anomalous: number;
  /** mean of the shadow's score less the champion's */
  difference: number | null;
}

export interface ModelInFull extends Omit<Model, "shadow"> {
  edge: string;
  figures: Record<string, number>;
  sha256: string | null;
  /** how many there are to go back to */
  previous: number;
  shadow: ShadowInFull | null;
}

export interface Token {
  id: string;
  name: string;
  role: Role;
  kind: "made" | "given" | string;
  made: string | null;
  made_by: string | null;
  used: string | null;
}

export interface AuditEntry {
  id: number;
  time: string;
  by: string;
  role: Role;
  action: string;
  subject: string | null;
  details: Record<string, unknown>;
  outcome: "done" | "refused" | "failed";
  status: number;
  problem: string | null;
}
