// The texts of the visitor's page.
import type { Bilingual } from "../contracts";
import { words } from "./language.svelte";

export const visitorTexts = {
  hallTitle: { sv: "Hallen", en: "The hall" },
  hall: { sv: "Maskinerna i hallen", en: "The machines of the hall" },
  runs: { sv: "Går som väntat", en: "Runs as expected" },
  ill: { sv: "Avviker", en: "Abnormal" },
  silent: { sv: "Ingen bedömning", en: "No judgement" },
  noNews: { sv: "Inga nya värden", en: "No new values" },
  slower: { sv: "visas {n} gånger långsammare", en: "shown {n} times slower" },
  noneIll: {
    sv: "Ingen maskin avviker, {n} utan bedömning just nu",
    en: "No machine is abnormal, {n} without a judgement right now",
  },
  noSimulator: {
    sv: "Här visas en riktig anläggning, eller så är simulatorn borta: inget kan förstöras.",
    en: "This is a real plant, or the simulator is away: nothing can be broken.",
  },

  break: { sv: "Förstör något", en: "Break something" },
  breakHow: {
    sv: "Bara simulatorn påverkas. Välj maskin i bilden.",
    en: "Only the simulator is affected. Choose the machine in the picture.",
  },
  which: { sv: "Maskin", en: "Machine" },
  what: { sv: "Vad ska hända?", en: "What shall happen?" },
  howFast: { sv: "Hur fort?", en: "How fast?" },
  atOnce: { sv: "Nu", en: "Now" },
  in30s: { sv: "30 s", en: "30 s" },
  in2min: { sv: "2 min", en: "2 min" },
  in10min: { sv: "10 min", en: "10 min" },
  start: { sv: "Förstör", en: "Break it" },
  repair: { sv: "Reparera", en: "Repair" },
  ongoing: { sv: "pågår", en: "ongoing" },
  working: { sv: "Skickar …", en: "Sending …" },
  begun: { sv: "{fault} har börjat i {machine}.", en: "{fault} has begun in {machine}." },
  theirs: {
    sv: "Någon annan har förstört den här maskinen. Välj en annan maskin, eller reparera: då slutar loppet för er båda.",
    en: "Somebody else has broken this machine. Choose another one, or repair it: that ends the race for both of you.",
  },
  theirsSince: {
    sv: "Någon annan förstörde den här maskinen {time}. Välj en annan maskin, eller reparera: då slutar loppet för er båda.",
    en: "Somebody else broke this machine at {time}. Choose another one, or repair it: that ends the race for both of you.",
  },
  taken: { sv: "Någon annan har lagat {machine}.", en: "Somebody else has repaired {machine}." },
  mended: { sv: "{machine} är lagad.", en: "{machine} is repaired." },

  race: { sv: "Vem märker det först?", en: "Who notices first?" },
  raceIdle: {
    sv: "Förstör en maskin, så börjar loppet: kullager mot den gamla larmgränsen.",
    en: "Break a machine and the race begins: kullager against the old alarm limit.",
  },
  raceBegun: { sv: "{fault} har börjat. Ingen har märkt något än.", en: "{fault} has begun. Nobody has noticed yet." },
  raceNoticed: {
    sv: "kullager märkte det efter {t}. Den gamla larmgränsen tiger än.",
    en: "kullager noticed after {t}. The old alarm limit is still silent.",
  },
  raceAhead: { sv: "kullager var {t} före den gamla larmgränsen.", en: "kullager was {t} ahead of the old alarm limit." },
  raceBehind: { sv: "Den gamla larmgränsen var {t} före kullager.", en: "The old alarm limit was {t} ahead of kullager." },
  raceTogether: { sv: "kullager och larmgränsen sa till samtidigt.", en: "kullager and the alarm limit told together." },
  raceNever: {
    sv: "kullager märkte det efter {t}. Den gamla larmgränsen sa aldrig till.",
    en: "kullager noticed after {t}. The old alarm limit never told.",
  },
  raceUnnoticed: { sv: "Felet är fullt utvecklat, och kullager har inte märkt det.", en: "The fault is complete, and kullager has not noticed." },
  raceUnnoticedLimit: { sv: "Bara den gamla larmgränsen har sagt till.", en: "Only the old alarm limit has told." },
  raceRepairedEarly: { sv: "Lagad innan någon hann märka något.", en: "Repaired before anybody could notice." },
  raceIllBefore: {
    sv: "Maskinen avvek redan när felet började. Därför säger tiderna inget om just det här felet.",
    en: "The machine was abnormal already when the fault began, so that the times say nothing of this fault.",
  },
  raceNoStart: {
    sv: "Felet fanns redan när servern startade: när det började är inte känt.",
    en: "The fault was there before the server started: when it began is not known.",
  },
  raceSudden: {
    sv: "Ett fel som är helt på en gång: ingen kan vara före det, bara snabb efter det.",
    en: "A fault that is whole at once: nobody can be ahead of it, only quick after it.",
  },
  faultStarts: { sv: "Felet börjar", en: "The fault begins" },
  notices: { sv: "kullager märker det", en: "kullager notices" },
  knows: { sv: "kullager vet vad det är", en: "kullager knows what it is" },
  oldLimit: { sv: "den gamla larmgränsen", en: "the old alarm limit" },
  fails: { sv: "maskinen havererar", en: "the machine fails" },
  after: { sv: "efter {t}", en: "after {t}" },
  predicted: { sv: "förutsagt", en: "predicted" },
  notYet: { sv: "inte än", en: "not yet" },
  never: { sv: "aldrig", en: "never" },
  notBefore: { sv: "inte före lagningen", en: "not before the repair" },
  takesFor: { sv: "tror: {fault}", en: "believes: {fault}" },
  now: { sv: "nu", en: "now" },
  repairedAt: { sv: "lagad", en: "repaired" },
  crossed: { sv: "{signal} {limit}", en: "{signal} {limit}" },
  noLimit: { sv: "har ingen gräns", en: "has no limit" },
  truthSource: {
    sv: "Början och haveri enligt simulatorn, resten ur mätvärdena.",
    en: "Beginning and failure as the simulator has it, the rest as measured.",
  },

  cost: { sv: "Vad kostar det att stanna då?", en: "What does stopping then cost?" },
  costStop: { sv: "Stopp", en: "Standstill" },
  costMoney: { sv: "Kostnad", en: "Cost" },
  costEnergy: { sv: "Bortkastad el", en: "Wasted energy" },
  costWhen: { sv: "Om man stannar när", en: "If one stops when" },
  costSaves: { sv: "Skillnad mot haveri: {money}", en: "Less than a failure: {money}" },
  costSign: {
    sv: "Räknat med antaganden; bortkastad el ur den uppmätta effekten.",
    en: "Computed with assumptions; wasted energy from the measured power.",
  },
  none: { sv: "ingen", en: "none" },
  unknown: { sv: "inte känt", en: "not known" },
  assumptions: { sv: "Visa och ändra antagandena", en: "Show and change the assumptions" },
  assumption: { sv: "Antagande för {machine}", en: "Assumption for {machine}" },
  value: { sv: "Värde", en: "Value" },
  reason: { sv: "Därför", en: "Why so" },
  resetAssumptions: { sv: "Återställ", en: "Reset" },
  kronor: { sv: "{n} kr", en: "SEK {n}" },

  why: { sv: "Varför?", en: "Why?" },
  whyCalm: {
    sv: "Inget att förklara: mätvärdena är som modellen väntar sig.",
    en: "Nothing to explain: the values are what the model expects.",
  },
  whySilent: { sv: "Ingen bedömning just nu: {reason}", en: "No judgement right now: {reason}" },
  grown: { sv: "{what} har blivit {n} gånger så stor på {t}", en: "{what} has grown {n}-fold in {t}" },
  shrunk: { sv: "{what} har sjunkit till {p} av det vanliga på {t}", en: "{what} has fallen to {p} of what it was in {t}" },
  risen: { sv: "{what} har stigit med {d} på {t}", en: "{what} has risen by {d} in {t}" },
  fallen: { sv: "{what} har sjunkit med {d} på {t}", en: "{what} has fallen by {d} in {t}" },
  perhaps: { sv: "Möjligen {fault}: {sentence}", en: "Possibly {fault}: {sentence}" },
  unlike: { sv: "{what} beter sig inte som förr", en: "{what} does not behave as before" },
  unchanged: { sv: "{sentence}, medan {names} är oförändrat.", en: "{sentence}, while {names} is unchanged." },
  unchangedMany: { sv: "{sentence}, medan {names} är oförändrade.", en: "{sentence}, while {names} are unchanged." },
  sentence: { sv: "{sentence}.", en: "{sentence}." },
  vibrationAt: { sv: "vibrationen vid {hz} ({line})", en: "the vibration at {hz} ({line})" },
  named: { sv: "{fault}: {sentence}", en: "{fault}: {sentence}" },
  and: { sv: "{a} och {b}", en: "{a} and {b}" },
  sure: { sv: "{p} säkert", en: "{p} sure" },
  like: { sv: "{p} likt felets kännetecken", en: "{p} like the fault's signature" },
  doThis: { sv: "Gör så här: {action}", en: "What to do: {action}" },
  contributions: { sv: "Signalernas del", en: "Each signal's share" },
  wasNow: { sv: "{then} → {now}", en: "{then} → {now}" },
  beforeNow: { sv: "före felet → nu", en: "before the fault → now" },

  spectrum: { sv: "Vibrationens spektrum", en: "Spectrum of the vibration" },
  spectrumNone: { sv: "Maskinen har ingen snabb vibrationsgivare.", en: "The machine has no fast vibration sensor." },
  spectrumWait: { sv: "Det första spektrumet kommer inom en minut.", en: "The first spectrum comes within a minute." },
  spectrumHow: {
    sv: "Höljekurvan [{unit}] {time}: toppar på de streckade linjerna tyder på lagerskada.",
    en: "Envelope [{unit}] at {time}: peaks on the dashed lines point to bearing damage.",
  },
  spectrumBefore: { sv: "Ljus linje: {time}.", en: "Pale line: {time}." },

  life: { sv: "Hur länge håller den?", en: "How long will it last?" },
  lifeCalm: { sv: "Inget slut i sikte: hälsan sjunker inte.", en: "No end in sight: the health does not fall." },
  lifeRises: {
    sv: "Inget slut i sikte: felet syns inte längre, och hälsan stiger igen.",
    en: "No end in sight: the fault no longer shows, and the health rises again.",
  },
  lifeUnknown: {
    sv: "Ingen tid: hälsan föll för fort för en trend att lita på.",
    en: "No time given: the health fell too fast for a trend to be trusted.",
  },
  lifeSpan: { sv: "troligen {low} till {high}", en: "probably {low} to {high}" },
  lifeIn: { sv: "om {t}", en: "in {t}" },
  lifeTruth: { sv: "Simulatorn vet: {t}", en: "The simulator knows: {t}" },
  lifeTruthOver: { sv: "Simulatorn vet: felet är fullt utvecklat.", en: "The simulator knows: the fault is complete." },
  lifeChart: {
    sv: "Hälsan hittills och dess väg till slutet, med osäkerhet",
    en: "Health so far and its way to the end, with its uncertainty",
  },
  health: { sv: "Hälsa", en: "Health" },
  lifeFan: { sv: "8 av 10 gånger inom det grå", en: "8 of 10 times within the shade" },

  energy: { sv: "Energi", en: "Energy" },
  energyPer: { sv: "per {product}", en: "per {product}" },
  energyUsual: { sv: "som vanligt", en: "as usual" },
  energyMore: { sv: "{p} mer än vanligt", en: "{p} more than usual" },
  energyLess: { sv: "{p} mindre än vanligt", en: "{p} less than usual" },
  energyExpected: { sv: "väntat {value}", en: "expected {value}" },
  energyLearning: {
    sv: "Energi per enhet mäts över tio minuter av samma recept och kommer då.",
    en: "Energy per unit is measured over ten minutes of one recipe, and comes then.",
  },
  powerNow: { sv: "Effekt just nu", en: "Power now" },
  powerUsual: { sv: "frisk maskin {value}", en: "a healthy machine {value}" },
  waste: { sv: "Felet kastar bort {kw}: {kwh} och {money} om dygnet.", en: "The fault wastes {kw}: {kwh} and {money} a day." },
  wasteLess: {
    sv: "Effekten är {kw} lägre än på en frisk maskin: den gör mindre nytta.",
    en: "The power is {kw} below a healthy machine's: it does less work.",
  },
  wasteNone: { sv: "Ingen el går till spillo nu.", en: "No energy is wasted now." },
  m3: { sv: "m³", en: "m³" },
  part: { sv: "detalj", en: "part" },
  batch: { sv: "sats", en: "batch" },

  tour: { sv: "Guidad visning", en: "Guided tour" },
  tourStart: { sv: "Starta visningen", en: "Start the tour" },
  tourEnd: { sv: "Avsluta visningen", en: "End the tour" },
  tourLater: {
    sv: "Visningen väntar: någon är mitt i ett lopp.",
    en: "The tour waits: somebody is in the midst of a race.",
  },
  tourTouch: { sv: "Rör skärmen och ta över", en: "Touch the screen and take over" },
  tourWait: {
    sv: "Fem maskiner, fem modeller som har lärt sig hur de låter, värms och drar ström när allt är som det ska. Snart går något sönder.",
    en: "Five machines, and models that have learnt how each sounds, warms and draws power when all is well. Soon something will fail.",
  },
  tourBegun: {
    sv: "{fault} växer nu i {machine}. På bilden ser allt ut som förut. Vem märker det först?",
    en: "{fault} is growing in {machine}. Everything looks as before. Who will notice first?",
  },
  tourNoticed: {
    sv: "{machine}: kullager har märkt det, {t} efter att det började. Läs under Varför vad den grundar det på.",
    en: "{machine}: kullager has noticed, {t} after it began. Read under Why what it rests on.",
  },
  tourNamed: {
    sv: "{machine}: nu vet kullager vad det är, {fault}, och vad man ska göra. Se vad ett stopp nu kostar mot ett haveri.",
    en: "{machine}: now kullager knows what it is, {fault}, and what to do. See what stopping now costs against a failure.",
  },
  tourRepaired: {
    sv: "{machine} är lagad. Om en stund går något annat sönder.",
    en: "{machine} is repaired. In a moment something else will fail.",
  },
  backSoon: {
    sv: "Är du kvar? Om {n} s lagas det du har förstört och sidan börjar om.",
    en: "Still there? In {n} s what you broke is repaired and the page begins anew.",
  },
  stay: { sv: "Jag är kvar", en: "I am here" },

  welcome: { sv: "Förstör en maskin och se vad kullager märker.", en: "Break a machine and see what kullager notices." },

  phone: { sv: "Prova i mobilen", en: "Try it on your phone" },
  phoneHow: { sv: "Rikta kameran hit.", en: "Point your camera here." },
  phoneLocal: {
    sv: "{host} nås bara från den här datorn. Öppna sidan med datorns namn i nätet, så visas en kod.",
    en: "{host} is reached from this computer only. Open the page by its name on the network, and a code appears.",
  },
  qr: { sv: "QR-kod till {address}", en: "QR code to {address}" },

  theme: { sv: "Utseende", en: "Appearance" },
  themeAuto: { sv: "Som systemet", en: "As the system" },
  themeLight: { sv: "Ljust", en: "Light" },
  themeDark: { sv: "Mörkt", en: "Dark" },
} as const satisfies Record<string, Bilingual>;

export type VisitorKey = keyof typeof visitorTexts;

export function say(key: VisitorKey, values: Record<string, string | number> = {}): string {
  return words.fill(visitorTexts[key], values);
}

const COUNTS: Record<number, Bilingual> = {
  2: { sv: "två", en: "two" },
  3: { sv: "tre", en: "three" },
  4: { sv: "fyra", en: "four" },
  5: { sv: "fem", en: "five" },
  6: { sv: "sex", en: "six" },
  7: { sv: "sju", en: "seven" },
  8: { sv: "åtta", en: "eight" },
  9: { sv: "nio", en: "nine" },
  10: { sv: "tio", en: "ten" },
  11: { sv: "elva", en: "eleven" },
  12: { sv: "tolv", en: "twelve" },
};

/** How many times as much: a word up to twelve, one decimal below two. */
export function times(factor: number): string {
  if (factor < 1.95) return words.number(factor, 1);
  const known = COUNTS[Math.round(factor)];
  return known === undefined ? words.number(factor, 0) : words.of(known);
}

/** A length of time with its seconds, as a race wants it: 47 s, 1 min 12 s, 2 h 5 min. */
export function span(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return words.text("seconds", { n: s });
  const [h, min, rest] = [Math.floor(s / 3600), Math.floor((s % 3600) / 60), s % 60];
  const parts =
    h > 0
      ? [words.text("hours", { n: h }), min > 0 ? words.text("minutes", { n: min }) : ""]
      : [words.text("minutes", { n: min }), rest > 0 ? words.text("seconds", { n: rest }) : ""];
  return parts.filter((part) => part !== "").join("\u00a0");
}

export function money(kronor: number): string {
  return say("kronor", { n: words.number(kronor, 0) }).replace(" ", "\u00a0");
}

/** The first letter small, as a name stands inside a sentence; names in capitals stay. */
export function inside(name: string): string {
  return /^[A-ZÅÄÖ]{2}/.test(name) ? name : name.charAt(0).toLowerCase() + name.slice(1);
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
