// A fault's name as the simulator's catalogue has it, so that all of the page calls it the same.
import type { Asset } from "../contracts";
import { plant } from "../live/plant.svelte";
import { words } from "../words/language.svelte";

export function faultName(asset: Asset, fault: string): string {
  const known = plant.faults.find((of) => of.asset === asset.id && of.fault === fault);
  // what stands in brackets explains the button, and would be in the way within a sentence
  return known === undefined ? words.fault(fault) : words.of(known.name).replace(/ \(.*\)$/, "");
}
