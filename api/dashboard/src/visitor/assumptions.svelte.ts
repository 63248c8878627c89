// What a standstill is assumed to cost. No figure of these is measured: a visitor sees and changes them.
import type { Asset, Bilingual } from "../contracts";

export interface Assumption {
  key: Key;
  unit: "h" | "kr/h" | "kr" | "kr/kWh";
  name: Bilingual;
  reason: Bilingual;
}

export type Key = "planned_h" | "soon_h" | "failed_h" | "hour_kr" | "parts_kr" | "damage_kr" | "kwh_kr" | "course_h";
export type Values = Record<Key, number>;

export const ASSUMPTIONS: readonly Assumption[] = [
  {
    key: "planned_h",
    unit: "h",
    name: { sv: "Stopp när kullager säger till", en: "Standstill when kullager tells" },
    reason: {
      sv: "Planerat: delar och folk väntar, bara själva arbetet stoppar.",
      en: "Planned: parts and people wait, and only the work itself stops it.",
    },
  },
  {
    key: "soon_h",
    unit: "h",
    name: { sv: "Stopp vid den fasta larmgränsen", en: "Standstill at the fixed alarm limit" },
    reason: {
      sv: "Oplanerat, men helt: felsökning, och delar ur eget lager.",
      en: "Unplanned, yet whole: finding the fault, and parts from one's own stock.",
    },
  },
  {
    key: "failed_h",
    unit: "h",
    name: { sv: "Stopp vid haveri", en: "Standstill at a failure" },
    reason: {
      sv: "Följdskador, och delar som ska beställas och fram.",
      en: "Consequential damage, and parts that are ordered and travel.",
    },
  },
  {
    key: "hour_kr",
    unit: "kr/h",
    name: { sv: "En timmes stopp", en: "An hour of standstill" },
    reason: {
      sv: "Vad produktionen bakom maskinen är värd i timmen.",
      en: "What the production behind the machine is worth an hour.",
    },
  },
  {
    key: "parts_kr",
    unit: "kr",
    name: { sv: "Delar och arbete vid lagning i tid", en: "Parts and work when repaired in time" },
    reason: { sv: "Slitdelen och en montör.", en: "The part that wears, and a fitter." },
  },
  {
    key: "damage_kr",
    unit: "kr",
    name: { sv: "Delar och arbete efter haveri", en: "Parts and work after a failure" },
    reason: {
      sv: "Det som slitdelen tar med sig: axel, motor, verktyg eller infodring.",
      en: "What the part takes with it: shaft, motor, tool or lining.",
    },
  },
  {
    key: "kwh_kr",
    unit: "kr/kWh",
    name: { sv: "Elpris", en: "Price of electricity" },
    reason: { sv: "Industri i södra Sverige, med nät och skatt.", en: "Industry in southern Sweden, with grid and tax." },
  },
  {
    key: "course_h",
    unit: "h",
    name: { sv: "Felets gång i en riktig anläggning", en: "The fault's course in a real plant" },
    reason: {
      sv: "Från första spår till haveri. Visningen går genom den på sekunder eller minuter; spillet räknas om till den tiden.",
      en: "From the first trace to failure. The demo runs through it in seconds or minutes; waste is scaled to this time.",
    },
  },
];

const OTHER: Values = {
  planned_h: 4,
  soon_h: 10,
  failed_h: 36,
  hour_kr: 5_000,
  parts_kr: 10_000,
  damage_kr: 60_000,
  kwh_kr: 1.2,
  course_h: 500,
};
const OF_CLASS: Record<string, Partial<Values>> = {
  pump: { planned_h: 4, soon_h: 8, failed_h: 36, hour_kr: 6_000, parts_kr: 8_000, damage_kr: 65_000 },
  spindle: { planned_h: 8, soon_h: 24, failed_h: 120, hour_kr: 1_400, parts_kr: 45_000, damage_kr: 280_000 },
  compressor: { planned_h: 6, soon_h: 12, failed_h: 48, hour_kr: 9_000, parts_kr: 25_000, damage_kr: 210_000 },
  robot: { planned_h: 5, soon_h: 12, failed_h: 48, hour_kr: 4_500, parts_kr: 30_000, damage_kr: 160_000 },
  furnace: { planned_h: 10, soon_h: 24, failed_h: 96, hour_kr: 3_500, parts_kr: 20_000, damage_kr: 190_000 },
};

class Assumptions {
  #changed = $state<Record<string, Partial<Values>>>({});

  of(asset: Asset): Values {
    return { ...this.first(asset), ...this.#changed[asset.class] };
  }

  first(asset: Asset): Values {
    return { ...OTHER, ...OF_CLASS[asset.class] };
  }

  change(asset: Asset, key: Key, value: number): void {
    if (!Number.isFinite(value) || value < 0) return;
    this.#changed[asset.class] = { ...this.#changed[asset.class], [key]: value };
  }

  reset(asset: Asset): void {
    delete this.#changed[asset.class];
  }

  isChanged(asset: Asset): boolean {
    return Object.keys(this.#changed[asset.class] ?? {}).length > 0;
  }
}

export const assumptions = new Assumptions();
