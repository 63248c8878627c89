// What the simulator says is true, and which story it plays: asked for while a visitor's page is open.
import type { Episode, Scenario, Truth } from "../contracts";
import { Problem, api, done, listed } from "../http";
import { plant } from "../live/plant.svelte";

const ROUND_MS = 2_000;
const TOUR = "visitor";

/** A server that was started anew does not know when a fault began; who has seen it does. */
function remembered(truth: Truth, before: Episode | null): Truth {
  const { episode } = truth;
  if (episode === null || before === null || episode.began !== null) return truth;
  const same = episode.fault === before.fault && before.repaired === null && episode.severity >= before.severity;
  return same ? { ...truth, episode: { ...episode, began: before.began } } : truth;
}

class Truths {
  of = $state.raw<Record<string, Truth>>({});
  /** has a simulator told anything? */
  known = $derived(Object.keys(this.of).length > 0);
  scenarios = $state.raw<Scenario[]>([]);
  touring = $derived(this.scenarios.some(({ scenario, active }) => scenario === TOUR && active));
  canTour = $derived(this.scenarios.some(({ scenario }) => scenario === TOUR));

  /** Ask in rounds until the answer is called. */
  follow(): () => void {
    void this.ask();
    const timer = setInterval(() => {
      if (!document.hidden && plant.connection !== "lost") void this.ask();
    }, ROUND_MS);
    return () => clearInterval(timer);
  }

  async ask(): Promise<void> {
    try {
      const [truths, scenarios] = await Promise.all([
        listed(api.GET("/simulator/truth")),
        listed(api.GET("/simulator/scenarios")),
      ]);
      const told = truths.map((truth) => [truth.asset, remembered(truth, this.of[truth.asset]?.episode ?? null)]);
      // a server that starts has heard of no machine yet, which repairs none
      this.of = { ...this.of, ...(Object.fromEntries(told) as Record<string, Truth>) };
      this.scenarios = scenarios;
    } catch (problem) {
      // the next round asks again
      if (!(problem instanceof Problem)) throw problem;
    }
  }

  async startTour(): Promise<void> {
    await done(api.POST("/simulator/scenarios", { body: { scenario: TOUR } }));
    await this.ask();
  }

  async endTour(): Promise<void> {
    await done(api.DELETE("/simulator/scenarios"));
    await this.ask();
  }
}

export const truths = new Truths();
