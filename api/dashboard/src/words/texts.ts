// Every text of the dashboard, in both languages. `{name}` is filled in by `language.text`.
import type { AlarmState, Bilingual, Priority, Reason, Source, State, Zone } from "../contracts";

export const texts = {
  plant: { sv: "Anläggning", en: "Plant" },
  alarms: { sv: "Larm", en: "Alarms" },
  mainMenu: { sv: "Huvudmeny", en: "Main menu" },
  skip: { sv: "Till innehållet", en: "Skip to content" },
  chooseLanguage: { sv: "Språk", en: "Language" },

  allWell: { sv: "Alla {n} maskiner går som väntat", en: "All {n} machines run as expected" },
  someIll: { sv: "{ill} av {n} maskiner avviker", en: "{ill} of {n} machines behave abnormally" },
  noAssets: { sv: "Plantfilen har inga maskiner än.", en: "The plant file has no machines yet." },
  loading: { sv: "Hämtar anläggningen …", en: "Fetching the plant …" },
  noAnswer: { sv: "Servern svarar inte. Försöker igen …", en: "The server does not answer. Trying again …" },
  unknownAsset: { sv: "Maskinen {id} finns inte i anläggningen.", en: "There is no machine {id} in this plant." },
  toPlant: { sv: "Till anläggningen", en: "To the plant" },

  runsWell: { sv: "Går som väntat", en: "Runs as expected" },
  allSignalsWell: {
    sv: "Modellen ser inget ovanligt i de {n} signalerna.",
    en: "The model sees nothing unusual in the {n} signals.",
  },
  firstAssessment: { sv: "Väntar på den första bedömningen", en: "Waiting for the first assessment" },
  abnormal: { sv: "Avviker från det normala", en: "Behaves abnormally" },
  higher: { sv: "{signal} är högre än väntat", en: "{signal} is higher than expected" },
  lower: { sv: "{signal} är lägre än väntat", en: "{signal} is lower than expected" },
  deviates: { sv: "{signal} beter sig ovanligt", en: "{signal} behaves unusually" },
  measuredExpected: { sv: "{measured}, väntat {expected}", en: "{measured}, expected {expected}" },
  probableFault: { sv: "Trolig orsak: {fault} ({p})", en: "Probable cause: {fault} ({p})" },
  expectedShort: { sv: "väntat {value}", en: "expected {value}" },
  overAlarm: { sv: "över larm {limit}", en: "over alarm {limit}" },
  overWarning: { sv: "över varning {limit}", en: "over warning {limit}" },
  noValue: { sv: "inget värde", en: "no value" },

  score: { sv: "Avvikelse", en: "Deviation" },
  scoreOfLimit: { sv: "larmgränsen är 1", en: "the alarm limit is 1" },
  limit: { sv: "gräns", en: "limit" },
  health: { sv: "Hälsa", en: "Health" },
  zone: { sv: "Zon {zone}", en: "Zone {zone}" },
  remainingLife: { sv: "Återstående livslängd", en: "Remaining life" },
  aboutSpan: { sv: "{low} till {high}", en: "{low} to {high}" },
  why: { sv: "Varför?", en: "Why?" },
  shares: { sv: "Signalernas del i avvikelsen", en: "Each signal's share of the deviation" },
  noShares: { sv: "Ingen bedömning att förklara just nu.", en: "No assessment to explain right now." },
  shareOf: { sv: "{share} av avvikelsen", en: "{share} of the deviation" },
  signals: { sv: "Mätvärden", en: "Signals" },
  machineOf: { sv: "Bild av {name}: {verdict}", en: "Picture of {name}: {verdict}" },
  model: { sv: "Modell {name} version {version}", en: "Model {name} version {version}" },
  falseAlarms: { sv: "{n} falsklarm i veckan på frisk maskin", en: "{n} false alarms a week on a healthy machine" },

  scoreChart: { sv: "Avvikelse mot larmgränsen", en: "Deviation against the alarm limit" },
  signalChart: { sv: "{signal} över tiden", en: "{signal} over time" },
  expectedBand: { sv: "väntat", en: "expected" },
  measured: { sv: "uppmätt", en: "measured" },
  anomalousSpan: { sv: "avvikande", en: "abnormal" },
  withheldSpan: { sv: "ingen bedömning", en: "no judgement" },
  warningLimit: { sv: "varning {limit}", en: "warning {limit}" },
  alarmLimit: { sv: "larm {limit}", en: "alarm {limit}" },
  range: { sv: "Tidsrymd", en: "Range" },
  rangeLive: { sv: "Direkt", en: "Live" },
  range5m: { sv: "5 min", en: "5 min" },
  range30m: { sv: "30 min", en: "30 min" },
  range6h: { sv: "6 h", en: "6 h" },
  noHistory: { sv: "Ingen historik än.", en: "No history yet." },
  fetchingHistory: { sv: "Hämtar historiken …", en: "Fetching history …" },

  break: { sv: "Gör sönder något", en: "Break something" },
  breakHow: {
    sv: "Välj ett fel och se hur snabbt det upptäcks. Bara simulatorn påverkas.",
    en: "Choose a fault and see how soon it is noticed. Only the simulator is affected.",
  },
  breakWhich: { sv: "Vilken maskin?", en: "Which machine?" },
  breakSpeed: { sv: "Hur snabbt ska det gå?", en: "How fast?" },
  atOnce: { sv: "Genast", en: "At once" },
  inHalfMinute: { sv: "På 30 s", en: "In 30 s" },
  inTwoMinutes: { sv: "På 2 min", en: "In 2 min" },
  repair: { sv: "Reparera", en: "Repair" },
  faultActive: { sv: "pågår", en: "ongoing" },
  injected: { sv: "{fault} har börjat. Nu gäller det.", en: "{fault} has begun. Watch it." },
  repaired: { sv: "Allt är lagat.", en: "Everything is repaired." },

  noAlarmsLong: { sv: "Inga larm kräver uppmärksamhet.", en: "No alarms need attention." },
  openAlarms: { sv: "Att ta hand om", en: "Needs attention" },
  closedAlarms: { sv: "Avslutade", en: "Closed" },
  allAlarms: { sv: "Alla larm", en: "All alarms" },
  acknowledge: { sv: "Kvittera", en: "Acknowledge" },
  shelve: { sv: "Lägg åt sidan", en: "Shelve" },
  unshelve: { sv: "Ta fram igen", en: "Unshelve" },
  comment: { sv: "Kommentera", en: "Comment" },
  commentLabel: { sv: "Kommentar", en: "Comment" },
  reasonLabel: { sv: "Skäl", en: "Reason" },
  shelveFor: { sv: "Hur länge?", en: "For how long?" },
  minutes: { sv: "{n} min", en: "{n} min" },
  hours: { sv: "{n} h", en: "{n} h" },
  days: { sv: "{n} dygn", en: "{n} days" },
  save: { sv: "Spara", en: "Save" },
  cancel: { sv: "Avbryt", en: "Cancel" },
  sending: { sv: "Skickar …", en: "Sending …" },
  raised: { sv: "Larmade {time}", en: "Raised {time}" },
  changedBy: { sv: "senast ändrat {time} av {by}", en: "last changed {time} by {by}" },
  shelvedUntil: { sv: "åt sidan till {time}", en: "shelved until {time}" },
  newAlarm: { sv: "Nytt larm, {priority} prioritet: {asset}. {text}", en: "New alarm, {priority} priority: {asset}. {text}" },
  priority: { sv: "{priority} prioritet", en: "{priority} priority" },

  tokenTitle: { sv: "Operatörens nyckel", en: "Operator token" },
  tokenWhy: {
    sv: "Att ändra ett larm kräver en operatör. Nyckeln stannar i den här fliken.",
    en: "Changing an alarm takes an operator. The token stays in this tab.",
  },
  tokenLabel: { sv: "Nyckel", en: "Token" },
  tokenGo: { sv: "Fortsätt", en: "Continue" },

  live: { sv: "Direkt", en: "Live" },
  connecting: { sv: "Ansluter …", en: "Connecting …" },
  lost: { sv: "Ingen kontakt", en: "Connection lost" },
  lostLong: {
    sv: "Ingen kontakt med servern sedan {time}. Det som visas är de senast kända värdena. Försöker igen …",
    en: "No connection to the server since {time}. What you see are the last known values. Trying again …",
  },
  backAgain: { sv: "Kontakten är tillbaka.", en: "Connected again." },
  edgeAway: {
    sv: "{edge} är bortkopplad: inga nya bedömningar kommer.",
    en: "{edge} is offline: no new assessments arrive.",
  },
  brokerAway: {
    sv: "Servern når inte brokern, så inga nya bedömningar kommer: {problem}",
    en: "The server cannot reach the broker, so no new assessments arrive: {problem}",
  },
  staleFor: { sv: "Inget nytt på {age}", en: "Nothing new for {age}" },
  staleSince: { sv: "Inget nytt sedan {time}", en: "Nothing new since {time}" },
  newestAt: { sv: "senast {time}", en: "newest {time}" },
  replayAt: { sv: "Inspelning från {time}", en: "Recording from {time}" },
  seconds: { sv: "{n} s", en: "{n} s" },
  connections: { sv: "Anslutningar", en: "Connections" },
  samples: { sv: "{n} värden", en: "{n} values" },
  rejected: { sv: "{n} avvisade", en: "{n} rejected" },
  rejectedNone: { sv: "inga avvisade", en: "none rejected" },
  clockOff: { sv: "klockan går {n} fel", en: "clock off by {n}" },
  since: { sv: "sedan {time}", en: "since {time}" },
  noEdges: { sv: "Ingen edge har hört av sig än.", en: "No edge has reported yet." },
  online: { sv: "i drift", en: "online" },
  offline: { sv: "bortkopplad", en: "offline" },
  nobodyAnswered: { sv: "Servern svarar inte.", en: "The server does not answer." },
} as const satisfies Record<string, Bilingual>;

export type TextKey = keyof typeof texts;

export const states: Record<State, Bilingual> = {
  normal: { sv: "Normal", en: "Normal" },
  anomalous: { sv: "Avviker", en: "Abnormal" },
  withheld: { sv: "Ingen bedömning", en: "No judgement" },
};

export const reasons: Record<Reason, Bilingual> = {
  "bad-quality": {
    sv: "Givarna märker själva sina värden som dåliga.",
    en: "The sensors themselves mark their values as bad.",
  },
  stale: { sv: "Det kommer inga nya mätvärden.", en: "No new values arrive." },
  "low-coverage": { sv: "För få mätvärden för en säker bedömning.", en: "Too few values for a sound judgement." },
  "machine-off": { sv: "Maskinen står still.", en: "The machine stands still." },
  "warming-up": { sv: "Samlar mätvärden för den första bedömningen.", en: "Collecting values for the first judgement." },
  changeover: { sv: "Omställning pågår.", en: "A changeover is going on." },
  "unknown-operating-point": {
    sv: "Maskinen körs på ett sätt som modellen aldrig har sett.",
    en: "The machine runs in a way that the model has never seen.",
  },
  "no-model": { sv: "Ingen modell är i drift för maskinen.", en: "No model is in service for this machine." },
};

export const zones: Record<Zone, Bilingual> = {
  A: { sv: "som ny", en: "as new" },
  B: { sv: "bra för lång drift", en: "fit for long running" },
  C: { sv: "planera åtgärd", en: "plan a repair" },
  D: { sv: "risk för skada", en: "risk of damage" },
};

export const alarmStates: Record<AlarmState, Bilingual> = {
  "active-unacknowledged": { sv: "Aktivt, okvitterat", en: "Active, unacknowledged" },
  "active-acknowledged": { sv: "Aktivt, kvitterat", en: "Active, acknowledged" },
  "returned-unacknowledged": { sv: "Återgått, okvitterat", en: "Returned, unacknowledged" },
  shelved: { sv: "Lagt åt sidan", en: "Shelved" },
  "out-of-service": { sv: "Ur drift", en: "Out of service" },
  normal: { sv: "Avslutat", en: "Closed" },
};

export const priorities: Record<Priority, Bilingual> = {
  low: { sv: "låg", en: "low" },
  medium: { sv: "medel", en: "medium" },
  high: { sv: "hög", en: "high" },
  critical: { sv: "kritisk", en: "critical" },
};

export const sourceStates: Record<Source["state"], Bilingual> = {
  connecting: { sv: "ansluter", en: "connecting" },
  connected: { sv: "ansluten", en: "connected" },
  disconnected: { sv: "bortkopplad", en: "disconnected" },
  refused: { sv: "nekad", en: "refused" },
};

/** Why something that came in was not used; others are shown by their own name. */
export const rejections: Record<string, Bilingual> = {
  "bad-time": { sv: "oläslig tid", en: "unreadable time" },
  "time-in-future": { sv: "tid i framtiden", en: "time in the future" },
  "clock-replaced": { sv: "klockan ersatt", en: "clock replaced" },
  "not-json": { sv: "inte JSON", en: "not JSON" },
  "not-an-object": { sv: "inget JSON-objekt", en: "no JSON object" },
  "not-finite": { sv: "inte ändligt", en: "not finite" },
  "wrong-type": { sv: "fel typ", en: "wrong type" },
  schema: { sv: "okänt schema", en: "unknown schema" },
  "too-large": { sv: "för stort", en: "too large" },
  "unknown-topic": { sv: "okänt ämne", en: "unknown topic" },
  "unknown-handle": { sv: "okänd nod", en: "unknown node" },
  "queue-overflow": { sv: "kön full", en: "queue overflow" },
  "sequence-gap": { sv: "lucka i följden", en: "gap in the sequence" },
};

export const faultNames: Record<string, Bilingual> = {
  "bearing-wear": { sv: "Slitet lager", en: "Worn bearing" },
  "bearing-outer-race": { sv: "Slitage i lagrets ytterring", en: "Wear in the bearing's outer race" },
  "bearing-inner-race": { sv: "Slitage i lagrets innerring", en: "Wear in the bearing's inner race" },
  cavitation: { sv: "Kavitation", en: "Cavitation" },
  imbalance: { sv: "Obalans", en: "Imbalance" },
  misalignment: { sv: "Snedställd axel", en: "Misaligned shaft" },
  looseness: { sv: "Glapp", en: "Looseness" },
};

/** UCUM codes as people write them, and the decimals that the quantity deserves. */
export const units: Record<string, { sign: Bilingual; decimals?: number }> = {
  Cel: { sign: { sv: "°C", en: "°C" }, decimals: 1 },
  K: { sign: { sv: "K", en: "K" }, decimals: 1 },
  "/min": { sign: { sv: "v/min", en: "rpm" }, decimals: 0 },
  "mm/s": { sign: { sv: "mm/s", en: "mm/s" }, decimals: 1 },
  "m/s2": { sign: { sv: "m/s²", en: "m/s²" }, decimals: 2 },
  "[g]": { sign: { sv: "g", en: "g" }, decimals: 3 },
  "m3/h": { sign: { sv: "m³/h", en: "m³/h" }, decimals: 1 },
  "L/min": { sign: { sv: "l/min", en: "l/min" }, decimals: 1 },
  bar: { sign: { sv: "bar", en: "bar" }, decimals: 2 },
  A: { sign: { sv: "A", en: "A" }, decimals: 1 },
  V: { sign: { sv: "V", en: "V" }, decimals: 0 },
  kW: { sign: { sv: "kW", en: "kW" }, decimals: 2 },
  "%": { sign: { sv: "%", en: "%" }, decimals: 0 },
  "N.m": { sign: { sv: "N·m", en: "N·m" }, decimals: 1 },
  um: { sign: { sv: "µm", en: "µm" }, decimals: 1 },
  "l/min": { sign: { sv: "l/min", en: "l/min" }, decimals: 1 },
  "m/min": { sign: { sv: "m/min", en: "m/min" }, decimals: 2 },
  mbar: { sign: { sv: "mbar", en: "mbar" }, decimals: 1 },
  mm: { sign: { sv: "mm", en: "mm" }, decimals: 2 },
  m3: { sign: { sv: "m³", en: "m³" }, decimals: 0 },
  "kW.h": { sign: { sv: "kWh", en: "kWh" }, decimals: 0 },
  s: { sign: { sv: "s", en: "s" }, decimals: 1 },
  // counts are whole, ratios such as a power factor are not
  "1": { sign: { sv: "", en: "" } },
};
