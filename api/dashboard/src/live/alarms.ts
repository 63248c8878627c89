// The order in which alarms want attention.
import type { Alarm, AlarmState, Priority } from "../contracts";

const URGENCY: Record<AlarmState, number> = {
  "active-unacknowledged": 0,
  "active-acknowledged": 1,
  "returned-unacknowledged": 2,
  shelved: 3,
  "suppressed-by-design": 4,
  "out-of-service": 5,
  normal: 6,
};
const WEIGHT: Record<Priority, number> = { critical: 0, high: 1, medium: 2, low: 3 };

const SILENT: readonly AlarmState[] = ["shelved", "suppressed-by-design", "out-of-service"];

/** It follows its condition without a word. */
export function isSilent({ state }: Alarm): boolean {
  return SILENT.includes(state);
}

/** All but the closed ones: unacknowledged first, then by priority, the newest first. */
export function openAlarms(alarms: Record<string, Alarm>): Alarm[] {
  return Object.values(alarms)
    .filter(({ state }) => state !== "normal")
    .sort(
      (a, b) =>
        URGENCY[a.state] - URGENCY[b.state] ||
        WEIGHT[a.priority] - WEIGHT[b.priority] ||
        Date.parse(b.raised) - Date.parse(a.raised),
    );
}

export function closedAlarms(alarms: Record<string, Alarm>): Alarm[] {
  return Object.values(alarms)
    .filter(({ state }) => state === "normal")
    .sort((a, b) => Date.parse(b.changed) - Date.parse(a.changed));
}
