// Rest: after a minute (`?rest=120`: two) without a touch the page goes back to its start, and what was broken here is repaired. A page
// repairs what it has broken itself, and not what another visitor is watching; on a stand (`?kiosk`) it then gives the tour.
import { asked } from "../address";
import { Problem } from "../http";
import { plant } from "../live/plant.svelte";
import { router } from "../route.svelte";
import { truths } from "./truths.svelte";

const REST_S = 60;
const WARNING_MS = 10_000;
// longer than the slowest race: what is still broken then was left behind by somebody
const LEFT_BEHIND_MS = 900_000;

export const kiosk = asked("kiosk") !== null;
const wanted = Number(asked("rest"));
// less than the warning of it would be none
const restMs = 1000 * (Number.isFinite(wanted) && wanted * 1000 >= WARNING_MS ? wanted : REST_S);

class Rest {
  /** ms until the page begins anew, once it is time to say so; null before */
  left = $state<number | null>(null);
  /** the tour was begun by this page */
  guiding = $state(false);
  #touched = Date.now();
  #broken = new Set<string>();

  /** Watch for rest while a visitor's page is open. */
  follow(): () => void {
    const touch = (event: Event): void => this.touch(event);
    const kinds = ["pointerdown", "keydown", "wheel"] as const;
    for (const kind of kinds) addEventListener(kind, touch, { passive: true });
    const timer = setInterval(() => this.#look(), 1000);
    return () => {
      for (const kind of kinds) removeEventListener(kind, touch);
      clearInterval(timer);
    };
  }

  touch(event?: Event): void {
    this.#touched = Date.now();
    this.left = null;
    // a touch of the screen ends the tour; the button that does so says more
    const own = event?.target instanceof Element && event.target.closest("[data-tour]") !== null;
    if (this.guiding && !own) void this.endTour();
  }

  async breaks(asset: string, fault: string, overS: number): Promise<void> {
    this.#broken.add(asset);
    await plant.inject(asset, fault, overS);
  }

  async repairs(asset: string): Promise<void> {
    await plant.repair(asset);
    this.#broken.delete(asset);
  }

  async startTour(): Promise<void> {
    this.guiding = true;
    router.to("#/");
    try {
      await this.#mend(this.#broken);
      await truths.startTour();
    } catch (problem) {
      this.guiding = false;
      throw problem;
    }
  }

  /** The story stops, and what it has broken is repaired. */
  async endTour(): Promise<void> {
    this.guiding = false;
    try {
      const broken = plant.assets.map(({ id }) => id).filter((id) => (truths.of[id]?.faults.length ?? 0) > 0);
      await truths.endTour();
      await this.#mend(broken.filter((id) => !this.#broken.has(id)));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
    }
  }

  async #mend(assets: Iterable<string>): Promise<void> {
    for (const asset of [...assets]) await this.repairs(asset);
  }

  /** A race that was begun here is no rest: the minute begins when it is decided. */
  #racing(): boolean {
    return [...this.#broken].some((asset) => {
      const truth = truths.of[asset];
      const episode = truth?.episode ?? null;
      if (truth === undefined || episode === null || episode.repaired !== null || episode.fails === null) return false;
      // in the machine's time: a simulator may run faster than the clock
      return Date.parse(episode.fails) > Date.parse(truth.time);
    });
  }

  #look(): void {
    if (this.#racing()) this.#touched = Date.now();
    const left = restMs - (Date.now() - this.#touched);
    const atStart = this.#broken.size === 0 && router.current.page === "visitor" && router.current.machine === null;
    // at the start there is nothing to say: the tour begins, or goes on
    this.left = left > WARNING_MS || atStart ? null : Math.max(0, left);
    if (left > 0) return;
    this.#touched = Date.now();
    void this.#begin();
  }

  async #begin(): Promise<void> {
    this.left = null;
    try {
      await this.#mend(this.#broken);
      router.to("#/");
      scrollTo({ top: 0 });
      if (!kiosk || !truths.canTour || truths.touring) return;
      const broken = Object.values(truths.of).filter(({ faults }) => faults.length > 0);
      const leftBehind = broken.filter(({ episode, time }) => {
        const since = episode?.began ?? null;
        return since === null || Date.parse(time) - Date.parse(since) > LEFT_BEHIND_MS;
      });
      // somebody else is in the midst of it, on a telephone
      if (broken.length > leftBehind.length) return;
      await this.#mend(leftBehind.map(({ asset }) => asset));
      await this.startTour();
    } catch (problem) {
      // it is tried again after the next minute
      if (!(problem instanceof Problem)) throw problem;
    }
  }
}

export const rest = new Rest();
