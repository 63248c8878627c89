// What the simulator says is true, and which story it plays: asked for while a visitor's page is open.
import { Problem, list, post, remove } from "../http";
import type { Bilingual } from "../contracts";
import { plant } from "../live/plant.svelte";
import type { Truth } from "./race";

interface Scenario {
  scenario: string;
  name: Bilingual;
  active: boolean;
}

const ROUND_MS = 2_000;
const TOUR = "visitor";

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
        list<Truth>("simulator/truth"),
        list<Scenario>("simulator/scenarios"),
      ]);
      this.of = Object.fromEntries(truths.map((truth) => [truth.asset, truth]));
      this.scenarios = scenarios;
    } catch (problem) {
      // the next round asks again
      if (!(problem instanceof Problem)) throw problem;
    }
  }

  async startTour(): Promise<void> {
    await post("simulator/scenarios", { scenario: TOUR });
    await this.ask();
  }

  async endTour(): Promise<void> {
    await remove("simulator/scenarios");
    await this.ask();
  }
}

export const truths = new Truths();
