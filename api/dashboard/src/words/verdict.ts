// An assessment in plain words.
import type { Assessment, Asset, Fault, Model, Waveform } from "../contracts";
import { words } from "./language.svelte";
import { reasons, states } from "./texts";

export type Direction = "higher" | "lower" | null;

/** One signal's part in the score: what was measured, what was expected, and its share (0..1). */
export interface Part {
  signal: Waveform;
  /** a fast signal, which has no single value */
  fast: boolean;
  share: number;
  measured: number | null;
  expected: number | null;
  direction: Direction;
}

export interface Verdict {
  tone: "calm" | "abnormal" | "withheld";
  headline: string;
  detail: string;
  /** the probable fault of this instant; "" where none is */
  cause: string;
  guilty: Part | null;
}

/** The signals of an assessment, the guiltiest first. */
export function parts(asset: Asset, assessment: Assessment, model: Model | undefined): Part[] {
  const waveforms = asset.waveforms.filter(({ name }) => assessment.contribution?.[name] !== undefined);
  return [...asset.signals, ...waveforms]
    .map((signal) => {
      const measured = assessment.measured[signal.name] ?? null;
      const expected = assessment.expected?.[signal.name] ?? null;
      return {
        signal,
        fast: waveforms.includes(signal),
        share: assessment.contribution?.[signal.name] ?? 0,
        measured,
        expected,
        direction: direction(measured, expected, model?.tolerance[signal.name]),
      };
    })
    .sort((a, b) => b.share - a.share);
}

// a small part of a high score says nothing of that signal: a strong deviation elsewhere pulls its expected value along
const TELLING_SHARE = 0.1;

/** Can this signal's expected value be held against what was measured? */
export function telling(part: Part, assessment: Assessment): boolean {
  return part.expected !== null && (assessment.state !== "anomalous" || part.share >= TELLING_SHARE);
}

/** Outside the expected band, and on which side; without a band a difference of 5 % counts. */
export function direction(measured: number | null, expected: number | null, tolerance: number | undefined): Direction {
  if (measured === null || expected === null) return null;
  const slack = tolerance ?? 0.05 * Math.abs(expected);
  if (Math.abs(measured - expected) <= slack) return null;
  return measured > expected ? "higher" : "lower";
}

export function inWords(part: Part, compared = true): string {
  if (part.measured === null) return words.text(part.fast ? "fastSignal" : "noValue");
  const measured = words.quantity(part.measured, part.signal.unit);
  if (part.expected === null || !compared) return measured;
  return words.text("measuredExpected", { measured, expected: words.value(part.expected, part.signal.unit) });
}

export function verdict(asset: Asset, assessment: Assessment | undefined, model: Model | undefined): Verdict {
  if (assessment === undefined) {
    return { tone: "withheld", headline: words.text("firstAssessment"), detail: "", cause: "", guilty: null };
  }
  if (assessment.state === "withheld") {
    const detail =
      assessment.reason === null
        ? ""
        : words.of(reasons[assessment.reason] ?? { sv: assessment.reason, en: assessment.reason });
    return { tone: "withheld", headline: words.of(states.withheld), detail, cause: "", guilty: null };
  }
  if (assessment.state === "normal") {
    const detail = words.text("allSignalsWell", { n: asset.signals.length });
    return { tone: "calm", headline: words.text("runsWell"), detail, cause: "", guilty: null };
  }
  const cause = assessment.fault === null ? "" : causeInWords(assessment.fault);
  const guilty = assessment.contribution === null ? undefined : parts(asset, assessment, model)[0];
  if (guilty === undefined) return { tone: "abnormal", headline: words.text("abnormal"), detail: "", cause, guilty: null };
  const headline = words.text(guilty.direction ?? "deviates", { signal: words.signal(guilty.signal) });
  return { tone: "abnormal", headline, detail: inWords(guilty), cause, guilty };
}

function causeInWords({ name, probability, by }: Fault): string {
  const key = by === "signature" ? "likeFault" : "probableFault";
  return words.text(key, { fault: words.fault(name), p: words.percent(probability) });
}
