// The models in service and their steps, asked anew while somebody looks.
import type { ModelAudit } from "../contracts";
import { Problem, list } from "../http";
import { inRounds } from "../live/rounds";
import type { ModelInFull } from "./contracts";

const ROUND_MS = 3_000;

class Service {
  models = $state.raw<ModelInFull[] | null>(null);
  /** the newest first */
  steps = $state.raw<ModelAudit[]>([]);
  problem = $state.raw<Problem | null>(null);

  /** Ask now and every few seconds; returns the way out. */
  watch(): () => void {
    return inRounds(() => this.fetch(), ROUND_MS);
  }

  async fetch(): Promise<void> {
    try {
      const [models, steps] = await Promise.all([list<ModelInFull>("models"), list<ModelAudit>("models/audit")]);
      this.models = models;
      this.steps = steps.reverse();
      this.problem = null;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.problem = problem;
    }
  }
}

export const service = new Service();
