// The models in service and their steps, asked anew while somebody looks.
import type { Model, ModelAudit } from "../contracts";
import { Problem, api, listed } from "../http";
import { inRounds } from "../live/rounds";

const ROUND_MS = 3_000;

class Service {
  models = $state.raw<Model[] | null>(null);
  /** the newest first */
  steps = $state.raw<ModelAudit[]>([]);
  problem = $state.raw<Problem | null>(null);

  /** Ask now and every few seconds; returns the way out. */
  watch(): () => void {
    return inRounds(() => this.fetch(), ROUND_MS);
  }

  async fetch(): Promise<void> {
    try {
      const [models, steps] = await Promise.all([listed(api.GET("/models")), listed(api.GET("/models/audit"))]);
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
