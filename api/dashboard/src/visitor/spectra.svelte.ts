// The spectra of all machines while a visitor's page is open: the newest, and what they were before.
import type { Spectrum } from "../contracts";
import { Problem, api, listed } from "../http";
import { plant } from "../live/plant.svelte";

// the edge tells one a minute, and one with each alarm
const ROUND_MS = 15_000;
const KEPT = 30;

class Spectra {
  #of = $state.raw<Record<string, Spectrum[]>>({});

  follow(): () => void {
    void this.#ask();
    const timer = setInterval(() => {
      if (!document.hidden && plant.connection !== "lost") void this.#ask();
    }, ROUND_MS);
    return () => clearInterval(timer);
  }

  newest(asset: string): Spectrum | null {
    return this.#of[asset]?.at(-1) ?? null;
  }

  /** The newest one from before `start` [ms since 1970]. */
  before(asset: string, start: number): Spectrum | null {
    return this.#of[asset]?.filter(({ time }) => Date.parse(time) < start).at(-1) ?? null;
  }

  async #ask(): Promise<void> {
    const fast = plant.assets.filter(({ waveforms }) => waveforms.length > 0);
    for (const { id } of fast) {
      try {
        const [spectrum] = await listed(api.GET("/assets/{asset_id}/spectra", { params: { path: { asset_id: id } } }));
        const known = this.#of[id] ?? [];
        if (spectrum !== undefined && known.at(-1)?.time !== spectrum.time)
          this.#of = { ...this.#of, [id]: [...known, spectrum].slice(-KEPT) };
      } catch (problem) {
        // the next round brings it
        if (!(problem instanceof Problem)) throw problem;
      }
    }
  }
}

export const spectra = new Spectra();
