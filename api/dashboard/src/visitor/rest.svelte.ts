// Rest: after a minute (`?rest=120`: two) without a touch the page goes back to its start, and what was broken here is repaired. A page
// repairs what it has broken itself, and not what another visitor is watching; on a stand (`?kiosk`) it then gives the tour.
// Whose a fault is, each page knows of its own alone: the simulator breaks a machine for whoever asks.
import { asked } from "../address";
import type { Truth } from "../contracts";
import { Problem } from "../http";
import { plant } from "../live/plant.svelte";
import { router } from "../route.svelte";
import { truths } from "./truths.svelte";

const REST_S = 60;
const WARNING_MS = 10_000;
// longer than the slowest race: what is still broken then was left behind by somebody
const LEFT_BEHIND_MS = 900_000;
// by then a fault that was asked for is told, or will not come
const TOLD_MS = 15_000;
const opened = Date.now();

export const kiosk = asked("kiosk") !== null;
const wanted = Number(asked("rest"));
// less than the warning of it would be none
const restMs = 1000 * (Number.isFinite(wanted) && wanted * 1000 >= WARNING_MS ? wanted : REST_S);

/** A fault that was asked for here; `began` as the simulator has told it, null before. */
interface Own {
  asked: number;
  before: string | null;
  began: string | null;
}

class Rest {
  /** ms until the page begins anew, once it is time to say so; null before */
  left = $state<number | null>(null);
  /** the tour was begun by this page */
  guiding = $state(false);
  /** the machine that was broken here and that somebody else has repaired, until something else is done here */
  taken = $state<string | null>(null);
  #touched = Date.now();
  #broken = $state.raw<Record<string, Own>>({});
  /** a race that others are in the midst of: the tour would break and repair their machines */
  othersRace = $derived(this.#others().length > this.#leftBehind().length);

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

  /** Was it broken here, and is it still so? */
  owns(asset: string): boolean {
    return asset in this.#broken;
  }

  async breaks(asset: string, fault: string, overS: number): Promise<void> {
    // the story would go on to repair what a visitor breaks
    if (truths.touring) await this.endTour();
    this.taken = null;
    if (!this.owns(asset)) {
      const own = { asked: Date.now(), before: truths.of[asset]?.episode?.began ?? null, began: null };
      this.#broken = { ...this.#broken, [asset]: own };
    }
    await plant.inject(asset, fault, overS);
  }

  async repairs(asset: string): Promise<void> {
    await plant.repair(asset);
    this.#forget(asset);
    this.taken = null;
  }

  async startTour(): Promise<void> {
    this.guiding = true;
    router.to("#/");
    try {
      await this.#mend(Object.keys(this.#broken));
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
      // another page may have ended it: what is broken then is not the story's
      await truths.ask();
      const broken = truths.touring ? this.#others().map(({ asset }) => asset) : [];
      await truths.endTour();
      await this.#mend(broken);
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
    }
  }

  async #mend(assets: Iterable<string>): Promise<void> {
    for (const asset of [...assets]) await this.repairs(asset);
  }

  #forget(asset: string): void {
    this.#broken = Object.fromEntries(Object.entries(this.#broken).filter(([id]) => id !== asset));
  }

  /** What somebody else has repaired is not ours any more, nor what is broken there after it. */
  #settle(): void {
    for (const [asset, own] of Object.entries(this.#broken)) {
      const episode = truths.of[asset]?.episode ?? null;
      const going = episode !== null && episode.repaired === null;
      if (own.began === null) {
        if (going && episode.began !== own.before) this.#broken = { ...this.#broken, [asset]: { ...own, began: episode.began } };
        else if (Date.now() - own.asked > TOLD_MS) this.#forget(asset);
      } else if (!going || (episode.began !== null && episode.began !== own.began)) {
        this.#forget(asset);
        this.taken = asset;
      }
    }
  }

  /** The machines that are broken, and not by this page. */
  #others(): Truth[] {
    return Object.values(truths.of).filter(({ asset, faults }) => faults.length > 0 && !this.owns(asset));
  }

  #leftBehind(): Truth[] {
    return this.#others().filter(({ episode, time }) => {
      // where the server cannot say since when, it is at least since this page looks
      const since = Date.parse(episode?.began ?? "") || opened;
      return Date.parse(time) - since > LEFT_BEHIND_MS;
    });
  }

  /** A race that was begun here is no rest: the minute begins when it is decided. */
  #racing(): boolean {
    return Object.keys(this.#broken).some((asset) => {
      const truth = truths.of[asset];
      const episode = truth?.episode ?? null;
      if (truth === undefined || episode === null || episode.repaired !== null || episode.fails === null) return false;
      // in the machine's time: a simulator may run faster than the clock
      return Date.parse(episode.fails) > Date.parse(truth.time);
    });
  }

  #look(): void {
    this.#settle();
    if (this.#racing()) this.#touched = Date.now();
    const left = restMs - (Date.now() - this.#touched);
    const atStart = Object.keys(this.#broken).length === 0 && router.current.page === "visitor" && router.current.machine === null;
    // at the start there is nothing to say: the tour begins, or goes on
    this.left = left > WARNING_MS || atStart ? null : Math.max(0, left);
    if (left > 0) return;
    this.#touched = Date.now();
    void this.#begin();
  }

  async #begin(): Promise<void> {
    this.left = null;
    try {
      // a telephone that slept knows what was true when it fell asleep
      await truths.ask();
      this.#settle();
      const own = Object.keys(this.#broken);
      await this.#mend(own);
      this.taken = null;
      router.to("#/");
      scrollTo({ top: 0 });
      if (!kiosk || !truths.canTour || truths.touring) return;
      await truths.ask();
      // who has just repaired a machine still reads of it
      const reads = Object.values(truths.of).some(({ asset, episode, time }) => {
        const repaired = Date.parse(episode?.repaired ?? "");
        return !own.includes(asset) && Date.parse(time) - repaired < restMs;
      });
      if (this.othersRace || reads) return;
      await this.#mend(this.#leftBehind().map(({ asset }) => asset));
      await this.startTour();
    } catch (problem) {
      // it is tried again after the next minute
      if (!(problem instanceof Problem)) throw problem;
    }
  }
}

export const rest = new Rest();
