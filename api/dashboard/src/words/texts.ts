// Every text of the dashboard, in both languages. `{name}` is filled in by `language.text`.
import type {
  AlarmState,
  Bilingual,
  ModelStep,
  Operation,
  Priority,
  Reason,
  Source,
  State,
  Suppression,
  Zone,
} from "../contracts";

export const texts = {
  plant: { sv: "Anläggning", en: "Plant" },
  alarms: { sv: "Larm", en: "Alarms" },
  operations: { sv: "Drift", en: "Operations" },
  models: { sv: "Modeller", en: "Models" },
  unacknowledgedAlarms: { sv: "okvitterade larm", en: "unacknowledged alarms" },
  partMissing: {
    sv: "Sidan kunde inte hämtas",
    en: "This page could not be fetched",
  },
  mainMenu: { sv: "Huvudmeny", en: "Main menu" },
  skip: { sv: "Till innehållet", en: "Skip to content" },
  chooseLanguage: { sv: "Språk", en: "Language" },

  allWell: { sv: "Alla {n} maskiner går som väntat", en: "All {n} machines run as expected" },
  someIll: { sv: "{ill} av {n} maskiner avviker", en: "{ill} of {n} machines behave abnormally" },
  noAssets: { sv: "Plantfilen har inga maskiner än", en: "The plant file has no machines yet" },
  loading: { sv: "Hämtar anläggningen …", en: "Fetching the plant …" },
  tryingAgain: { sv: "Försöker igen …", en: "Trying again …" },
  loadAnew: { sv: "Ladda om sidan", en: "Load the page anew" },
  unknownAsset: { sv: "Maskinen {id} finns inte i anläggningen", en: "There is no machine {id} in this plant" },
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
  likeFault: { sv: "Liknar {fault} ({p})", en: "Resembles {fault} ({p})" },
  fastSignal: { sv: "snabb signal, se spektrum", en: "fast signal, see its spectrum" },
  expectedShort: { sv: "väntat {value}", en: "expected {value}" },
  overAlarm: { sv: "över larm {limit}", en: "over alarm {limit}" },
  overWarning: { sv: "över varning {limit}", en: "over warning {limit}" },
  noValue: { sv: "inget värde", en: "no value" },

  score: { sv: "Avvikelse", en: "Deviation" },
  scoreOfLimit: { sv: "larmgränsen är 1", en: "the alarm limit is 1" },
  limit: { sv: "gräns", en: "limit" },
  health: { sv: "Hälsa", en: "Health" },
  zone: { sv: "Zon {zone}", en: "Zone {zone}" },
  vibrationZone: { sv: "Vibration: zon {zone} (ISO 20816)", en: "Vibration: zone {zone} (ISO 20816)" },
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

  shadow: {
    sv: "Version {version} provas i skugga: ense med den i drift i {share} av {n} bedömningar",
    en: "Version {version} is tried in shadow: agrees with the one in service in {share} of {n} judgements",
  },
  shadowNew: {
    sv: "Version {version} provas i skugga och har inte bedömt något än",
    en: "Version {version} is tried in shadow and has judged nothing yet",
  },
  modelStep: { sv: "{step} {time} av {by}", en: "{step} {time} by {by}" },

  case: { sv: "Pågående ärende", en: "Open case" },
  caseLine: { sv: "{fault}: åtgärda senast {time}", en: "{fault}: act by {time} at the latest" },
  caseLineNow: { sv: "{fault}: åtgärda genast", en: "{fault}: act at once" },
  caseLineOpen: { sv: "Pågående ärende: {fault}", en: "Open case: {fault}" },
  sureByModel: { sv: "Modellen är {p} säker", en: "The model is {p} sure" },
  sureBySignature: { sv: "Likhet med felets kännetecken: {p}", en: "Likeness to the fault's signature: {p}" },
  possibly: { sv: "Möjligen {fault}", en: "Possibly {fault}" },
  unsure: { sv: "Osäkert: andra fel är också möjliga", en: "Unsure: other faults are possible, too" },
  whatToDo: { sv: "Gör så här", en: "What to do" },
  actBy: { sv: "Senast", en: "At the latest" },
  actNow: { sv: "Genast", en: "At once" },
  actSometime: { sv: "Ingen tidsgräns är känd.", en: "No time limit is known." },
  inTime: { sv: "om {time}", en: "in {time}" },
  because: { sv: "Därför", en: "Why" },
  caseAlarms: { sv: "Ärendets larm", en: "Alarms of the case" },
  caseSince: { sv: "öppnat {time}", en: "opened {time}" },
  caseQuiet: {
    sv: "Inget av larmen är aktivt nu. Ärendet stängs när det har varit lugnt i tio minuter.",
    en: "None of the alarms is active now. The case closes after ten quiet minutes.",
  },
  aheadOfLimit: { sv: "{time} före den fasta larmgränsen", en: "{time} before the fixed alarm limit" },
  atLimit: { sv: "Samtidigt som den fasta larmgränsen", en: "Together with the fixed alarm limit" },
  limitNotReached: { sv: "Den fasta larmgränsen är inte nådd", en: "The fixed alarm limit has not been reached" },
  iso14224: { sv: "ISO 14224: felmod {mode}", en: "ISO 14224: failure mode {mode}" },
  isoMechanism: { sv: "mekanism {mechanism}", en: "mechanism {mechanism}" },
  isoCause: { sv: "orsak {cause}", en: "cause {cause}" },

  energyAndFlow: { sv: "Energi och flöde", en: "Energy and flow" },
  lastHour: { sv: "senaste timmen", en: "last hour" },
  operation: { sv: "Just nu", en: "Right now" },
  utilisation: { sv: "Utnyttjande", en: "Utilisation" },
  specificEnergy: { sv: "Energi per enhet", en: "Energy per unit" },
  noSpecificEnergy: {
    sv: "Ingen mätning är klar än: den tar minst tio minuter med samma recept.",
    en: "No measurement is complete yet: one takes ten minutes or more of the same recipe.",
  },
  energyUsual: { sv: "som vanligt", en: "as usual" },
  energyMore: { sv: "{n} mer än vanligt", en: "{n} more than usual" },
  energyLess: { sv: "{n} mindre än vanligt", en: "{n} less than usual" },
  energyUnknown: { sv: "vad som är vanligt är inte känt än", en: "what is usual is not known yet" },
  piece: { sv: "st", en: "pc" },
  taken: { sv: "Totalt {energy} för {amount}", en: "{energy} for {amount} in all" },
  unjudged: { sv: "Tid utan bedömning", en: "Time without a judgement" },
  unjudgedNone: { sv: "ingen", en: "none" },

  spectrum: { sv: "Spektrum: {signal}", en: "Spectrum: {signal}" },
  envelopeSpectrum: { sv: "Höljekurvans spektrum", en: "Spectrum of the envelope" },
  spectrumHow: {
    sv: "En lagerskada slår i takt: då reser sig toppar på lagrets frekvenser.",
    en: "A damaged bearing strikes in rhythm: peaks then rise at the bearing's frequencies.",
  },
  spectrumAt: { sv: "mätt {time}", en: "measured {time}" },
  noLines: {
    sv: "Varvtalet är inte känt, så inga lagerfrekvenser kan märkas ut.",
    en: "The speed is not known, so that no bearing frequencies can be marked.",
  },

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
  silencedAlarms: { sv: "Tystade", en: "Silenced" },
  silencedCount: { sv: "{n} tystade", en: "{n} silenced" },
  flood: {
    sv: "Fler larm kommer än någon hinner läsa. De mindre viktiga hålls tillbaka tills det lugnar sig.",
    en: "More alarms come than anybody can read. The less important are held back until it calms down.",
  },
  firstOut: { sv: "Först ut", en: "First-out" },
  firstOutLong: { sv: "Ärendet började med det här larmet", en: "The case began with this alarm" },
  evidence: { sv: "Hämta underlag (zip)", en: "Download evidence (zip)" },
  returnToService: { sv: "Ta i drift igen", en: "Return to service" },
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

  tokenTitle: { sv: "Logga in", en: "Sign in" },
  tokenWhy: {
    sv: "Att ändra något kräver en nyckel. Den ger en session i den här webbläsaren, som slutar efter tolv timmar utan användning.",
    en: "Changing something takes a token. It opens a session in this browser, which ends after twelve hours without use.",
  },
  tokenLabel: { sv: "Nyckel", en: "Token" },
  tokenGo: { sv: "Logga in", en: "Sign in" },
  signIn: { sv: "Logga in", en: "Sign in" },
  signOut: { sv: "Logga ut", en: "Sign out" },
  signedInAs: { sv: "{name}, {role}", en: "{name}, {role}" },

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
    sv: "Servern når inte brokern, så inga nya bedömningar kommer: ”{problem}”",
    en: "The server cannot reach the broker, so no new assessments arrive: “{problem}”",
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
  notKnown: { sv: "okänt", en: "unknown" },
  nobodyAnswered: { sv: "Servern svarar inte.", en: "The server does not answer." },
  httpError: { sv: "Svaret var ett fel utan ord (HTTP {status}).", en: "The answer was an error without words (HTTP {status})." },
  serverSays: { sv: "Servern säger med egna ord: ”{detail}”", en: "The server says in its own words: “{detail}”" },
  ownWords: { sv: "Med egna ord:", en: "In its own words:" },
  theEdge: { sv: "Edgen", en: "The edge" },
  aWhile: { sv: "en stund", en: "a while" },
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
  "unknown-recipe": {
    sv: "Maskinen tillverkar något som modellen aldrig har sett.",
    en: "The machine makes something that the model has never seen.",
  },
  "unknown-operating-point": {
    sv: "Maskinen körs på ett sätt som modellen aldrig har sett.",
    en: "The machine runs in a way that the model has never seen.",
  },
  "no-model": { sv: "Ingen modell är i drift för maskinen.", en: "No model is in service for this machine." },
};

/** The same, as one item among others. */
export const reasonsInShort: Record<Reason, Bilingual> = {
  "bad-quality": { sv: "dåliga givarvärden", en: "bad sensor values" },
  stale: { sv: "inga nya mätvärden", en: "no new values" },
  "low-coverage": { sv: "för få mätvärden", en: "too few values" },
  "machine-off": { sv: "maskinen stod still", en: "machine stood still" },
  "warming-up": { sv: "samlade mätvärden", en: "collected values" },
  changeover: { sv: "omställning", en: "changeover" },
  "unknown-recipe": { sv: "okänt recept", en: "unknown recipe" },
  "unknown-operating-point": { sv: "okänt driftsätt", en: "unknown way of running" },
  "no-model": { sv: "ingen modell", en: "no model" },
};

export const operations: Record<Operation, Bilingual> = {
  running: { sv: "Går", en: "Running" },
  idle: { sv: "Tomgång", en: "Idle" },
  changeover: { sv: "Omställning", en: "Changeover" },
  off: { sv: "Avstängd", en: "Off" },
  unknown: { sv: "Okänt", en: "Unknown" },
};

export const modelSteps: Record<ModelStep, Bilingual> = {
  refused: { sv: "Version {version} underkänd", en: "Version {version} refused" },
  shadow: { sv: "Version {version} i skugga", en: "Version {version} put in shadow" },
  promoted: { sv: "Version {version} tagen i drift", en: "Version {version} put in service" },
  "rolled-back": { sv: "Återgång till version {version}", en: "Rolled back to version {version}" },
  withdrawn: { sv: "Version {version} tagen ur drift", en: "Version {version} withdrawn" },
};

/** The lines of a spectrum; others are shown by their own name. */
export const spectrumLines: Record<string, Bilingual> = {
  BPFO: { sv: "lagrets ytterring", en: "bearing's outer race" },
  BPFI: { sv: "lagrets innerring", en: "bearing's inner race" },
  BSF: { sv: "lagrets kulor", en: "bearing's balls" },
  FTF: { sv: "lagrets hållare", en: "bearing's cage" },
  "1x": { sv: "en gång per varv", en: "once per turn" },
  "2x": { sv: "två gånger per varv", en: "twice per turn" },
};

/** Who has done something; others are shown by their own name. */
export const people: Record<string, Bilingual> = {
  operator: { sv: "operatören", en: "the operator" },
  edge: { sv: "edgen själv", en: "the edge itself" },
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
  "suppressed-by-design": { sv: "Undertryckt", en: "Suppressed" },
  "out-of-service": { sv: "Ur drift", en: "Out of service" },
  normal: { sv: "Avslutat", en: "Closed" },
};

export const suppressions: Record<Suppression, Bilingual> = {
  "machine-off": { sv: "Undertryckt medan maskinen står still", en: "Suppressed while the machine stands still" },
  flood: { sv: "Undertryckt medan larmen är för många", en: "Suppressed while there are too many alarms" },
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
  "bad-waveform": { sv: "dålig kvalitet på snabb signal", en: "fast signal of bad quality" },
  "no-such-field": { sv: "fältet saknas", en: "field missing" },
  "wrong-length": { sv: "fel längd", en: "wrong length" },
  "wrong-rate": { sv: "fel samplingstakt", en: "wrong sample rate" },
  undecodable: { sv: "oläsligt", en: "undecodable" },
  compressed: { sv: "komprimerat", en: "compressed" },
  "not-sparkplug": { sv: "inte Sparkplug B", en: "not Sparkplug B" },
  "no-birth": { sv: "födelsemeddelande saknas", en: "birth message missing" },
  "no-seq": { sv: "löpnummer saknas", en: "sequence number missing" },
  "unknown-metric": { sv: "okänd metrik", en: "unknown metric" },
  retained: { sv: "sparat av brokern", en: "kept by the broker" },
};

/** Where no advice names the fault; as the edge's own tables have it (edge/knowledge). */
export const faultNames: Record<string, Bilingual> = {
  "bearing-wear": { sv: "Lagerskada", en: "Bearing wear" },
  "bearing-outer-race": { sv: "Slitage i lagrets ytterring", en: "Wear in the bearing's outer race" },
  "bearing-inner-race": { sv: "Slitage i lagrets innerring", en: "Wear in the bearing's inner race" },
  "blocked-valve": { sv: "Ventil som kärvar", en: "Blocked valve" },
  "brake-drag": { sv: "Broms som ligger an", en: "Dragging brake" },
  cavitation: { sv: "Kavitation", en: "Cavitation" },
  chatter: { sv: "Vibrerande skär", en: "Chatter" },
  "clogged-filter": { sv: "Igensatt luftfilter", en: "Clogged air filter" },
  "clogged-impeller": { sv: "Igensatt pumphjul", en: "Clogged impeller" },
  collision: { sv: "Kollision i varje cykel", en: "Collision in every cycle" },
  "coolant-loss": { sv: "Kylmedlet sinar", en: "Coolant loss" },
  "cooler-fouling": { sv: "Igensatt oljekylare", en: "Fouled oil cooler" },
  "door-seal-leak": { sv: "Otät lucka", en: "Door seal leak" },
  "dry-run": { sv: "Torrkörning", en: "Dry run" },
  "gearbox-backlash": { sv: "Glapp i växeln", en: "Gearbox backlash" },
  "heater-loss": { sv: "Värmeelement ur funktion", en: "Heater element loss" },
  imbalance: { sv: "Obalans", en: "Imbalance" },
  "insulation-ageing": { sv: "Åldrad isolering", en: "Insulation ageing" },
  looseness: { sv: "Glapp", en: "Looseness" },
  misalignment: { sv: "Felriktad axel", en: "Misalignment" },
  "network-leak": { sv: "Läcka i tryckluftsnätet", en: "Leak in the network" },
  "spindle-bearing": { sv: "Spindellager slits", en: "Spindle bearing" },
  "thermocouple-drift": { sv: "Termoelement som driver", en: "Thermocouple drift" },
  "tool-breakage": { sv: "Verktygsbrott", en: "Tool breakage" },
  "valve-leak": { sv: "Otät ventil", en: "Leaking valve" },
  "wrong-payload": { sv: "Fel detalj i gripdonet", en: "Wrong payload" },
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

export const roles: Record<"visitor" | "operator" | "engineer" | "admin", Bilingual> = {
  visitor: { sv: "besökare", en: "visitor" },
  operator: { sv: "operatör", en: "operator" },
  engineer: { sv: "ingenjör", en: "engineer" },
  admin: { sv: "administratör", en: "administrator" },
};
