// What an operator does to an alarm. The edge owns alarms: a change counts when it has confirmed it.
import type { Alarm, Remark } from "../contracts";
import { api, download } from "../http";
import { operator } from "../live/operator.svelte";
import { plant } from "../live/plant.svelte";
import { words } from "../words/language.svelte";
import { say, type OperationsKey } from "../words/operations";
import { whyNot, type Sentence } from "../words/problem";
import { alarmStates } from "../words/texts";

export type Action = "acknowledge" | "shelve" | "unshelve" | "comment" | "out-of-service" | "return-to-service" | "evidence";
/** Actions that ask for something first. */
export type Form = "shelve" | "comment" | "out-of-service";

export const ACTIONS: { action: Action; key: string; name: OperationsKey }[] = [
  { action: "acknowledge", key: "a", name: "acknowledge" },
  { action: "shelve", key: "s", name: "shelve" },
  { action: "unshelve", key: "u", name: "unshelve" },
  { action: "comment", key: "c", name: "comment" },
  { action: "out-of-service", key: "o", name: "outOfService" },
  { action: "return-to-service", key: "r", name: "returnToService" },
  { action: "evidence", key: "e", name: "evidence" },
];

/** May this be done to an alarm in its state? After the table of ISA-18.2 that the edge holds. */
export function isPossible(action: Action, { state }: Alarm): boolean {
  const seen = state === "active-acknowledged";
  const unseen = state === "active-unacknowledged" || state === "returned-unacknowledged";
  if (action === "acknowledge") return unseen;
  if (action === "shelve") return unseen || seen;
  if (action === "unshelve") return state === "shelved";
  if (action === "return-to-service") return state === "out-of-service";
  if (action === "out-of-service") return state !== "out-of-service" && state !== "normal";
  return action === "evidence" || state !== "normal";
}

class Actions {
  /** the alarm that something is being done to */
  sending = $state<string | null>(null);
  form = $state<Form | null>(null);
  problem = $state.raw<Sentence | null>(null);
  /** what was done last, for those who hear the page */
  said = $state.raw<Sentence | null>(null);

  clear(): void {
    this.form = null;
    this.problem = null;
    this.said = null;
  }

  /** Do it, or open the form that it needs; says why where it is not possible. */
  begin(action: Action, alarm: Alarm): void {
    this.problem = null;
    if (!isPossible(action, alarm)) {
      const what = ACTIONS.find((of) => of.action === action)?.name ?? "alarm";
      this.problem = () => say("cannotNow", { what: say(what), state: words.of(alarmStates[alarm.state]).toLowerCase() });
    } else if (action === "shelve" || action === "comment" || action === "out-of-service") this.form = action;
    else if (action === "evidence") void this.#fetchEvidence(alarm);
    else void this.send(action, alarm, {});
  }

  async send(action: Exclude<Action, "evidence">, alarm: Alarm, body: Remark): Promise<boolean> {
    return this.#carryOut(alarm, async () => {
      const params = { path: { alarm_id: alarm.alarm_id } };
      const changed = await operator.act(() => api.POST(`/alarms/{alarm_id}/${action}`, { params, body }));
      if (changed === null) return false;
      plant.takeAlarms([changed]);
      this.form = null;
      this.said = () => say("done", { what: words.of(alarmStates[changed.state]) });
      return true;
    });
  }

  async #fetchEvidence({ alarm_id }: Alarm): Promise<void> {
    const params = { path: { alarm_id } };
    await this.#carryOut({ alarm_id }, async () => {
      await download(api.GET("/alarms/{alarm_id}/evidence", { params, parseAs: "blob" }), `evidence-${alarm_id}.zip`);
      return true;
    });
  }

  async #carryOut({ alarm_id }: Pick<Alarm, "alarm_id">, act: () => Promise<boolean>): Promise<boolean> {
    this.problem = null;
    this.sending = alarm_id;
    try {
      return await act();
    } catch (problem) {
      this.problem = whyNot(problem);
      return false;
    } finally {
      this.sending = null;
    }
  }
}

export const actions = new Actions();
