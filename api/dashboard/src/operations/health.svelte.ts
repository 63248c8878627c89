// How edges, sources, certificates and the server are, and what of it wants a person. Asked anew while somebody looks.
import type { Model, SystemStatus } from "../contracts";
import { Problem } from "../http";
import { fetchStatus } from "../live/edges";
import { inRounds } from "../live/rounds";
import { say } from "../words/operations";
import { words } from "../words/language.svelte";

const ROUND_MS = 5_000;
const NOTABLE_CLOCK_S = 1;
const DAY_MS = 86_400_000;
export const RENEW_BEFORE_DAYS = 30;

class Health {
  status = $state.raw<SystemStatus | null>(null);
  problem = $state.raw<Problem | null>(null);

  /** Ask now and every few seconds; returns the way out. */
  watch(): () => void {
    return inRounds(() => this.#fetch(), ROUND_MS);
  }

  async #fetch(): Promise<void> {
    try {
      this.status = await fetchStatus();
      this.problem = null;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.problem = problem;
    }
  }
}

export const health = new Health();

export function daysLeft(until: string, now: number): number {
  return Math.floor((Date.parse(until) - now) / DAY_MS);
}

/** What is not as it should be, in words that say what to do. `now` is in ms since 1970. */
export function upkeep(status: SystemStatus, models: readonly Model[], now: number): string[] {
  const found: string[] = [];
  const at = (time: string): string => words.moment(Date.parse(time), now);
  const { broker, database } = status;
  if (!broker.connected) found.push(say("doBrokerAway", { url: broker.url, time: at(broker.since) }));
  if (database.problem !== null) found.push(say("doDatabase", { problem: database.problem }));
  for (const of of status.edges) {
    const { edge } = of;
    if (!of.online) {
      found.push(say("doEdgeAway", { edge, time: at(of.time) }));
      continue;
    }
    for (const [source, state] of Object.entries(of.sources)) {
      if (state.state !== "connected") found.push(say("doSourceAway", { edge, source, time: at(state.since) }));
      const offset = Math.abs(state.clock_offset_s ?? 0);
      if (offset > NOTABLE_CLOCK_S) found.push(say("doClock", { edge, source, n: words.duration(offset) }));
      if (state.silent > 0) found.push(say("doSilent", { edge, source, n: state.silent }));
    }
    for (const [name, { until }] of Object.entries(of.certificates)) {
      const n = daysLeft(until, now);
      if (n < 0) found.push(say("doCertificateOver", { edge, name }));
      else if (n < RENEW_BEFORE_DAYS) found.push(say("doCertificate", { edge, name, n }));
    }
    if (of.plant_problem) found.push(say("doPlant", { edge, problem: of.plant_problem }));
    if (of.journal?.problem) found.push(say("doJournal", { edge, problem: of.journal.problem }));
    if (of.recording?.problem) found.push(say("doRecorder", { edge, problem: of.recording.problem }));
    for (const [name, problem] of Object.entries(of.outputs)) {
      if (problem !== null) found.push(say("doOutput", { edge, name, problem }));
    }
  }
  for (const { name, problem } of models) if (problem !== null) found.push(say("doModel", { name, problem }));
  return found;
}
