// How labels and the alarms beside them are told, where several parts of their page do.
import type { Alarm, Condition, Label } from "../contracts";
import { tell, type ModelsKey } from "../words/models";
import { words } from "../words/language.svelte";

export const CONDITIONS: Record<Condition, ModelsKey> = {
  healthy: "conditionHealthy",
  fault: "conditionFault",
  failed: "conditionFailed",
  unknown: "conditionUnknown",
};
export const VERDICTS = { right: "verdictRight", false: "verdictFalse", unclear: "verdictUnclear" } as const;

/** What somebody is about to say; times as they are written. */
export interface Draft {
  asset: string;
  from: string;
  to: string;
  condition: Condition;
  fault: string;
  comment: string;
}

/** When an alarm was over [ms since 1970]: an active one is not. */
export function endOf({ state, changed }: Alarm, now: number): number {
  return state.startsWith("active-") ? now : Date.parse(changed);
}

export function labelText({ label, fault: kind }: Label): string {
  return kind === null ? tell(CONDITIONS[label]) : `${tell(CONDITIONS[label])}: ${words.fault(kind)}`;
}
