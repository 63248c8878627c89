// What a machine is called; one that the plant does not know, by its id.
import { plant } from "../live/plant.svelte";
import { words } from "./language.svelte";

export function machineName(asset: string): string {
  const found = plant.assets.find(({ id }) => id === asset);
  return found === undefined ? asset : words.of(found.name);
}
