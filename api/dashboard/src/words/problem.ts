// Why something failed, in the API's own words.
import { Problem } from "../http";
import { words } from "./language.svelte";

/** What is no answer of the API's, nor the lack of one, is an error of this page's and thrown on. */
export function whyNot(error: unknown): string {
  if (!(error instanceof Problem)) throw error;
  return error.message || words.text("nobodyAnswered");
}
