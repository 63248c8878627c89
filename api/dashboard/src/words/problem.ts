// Why something failed, in the language of the page. A sentence is kept as what says it, so that it follows a change of language.
import type { Bilingual, ProblemType } from "../contracts";
import { Problem } from "../http";
import { words } from "./language.svelte";
import { roles, texts } from "./texts";

export type Sentence = () => string;

/** `{edge}`, `{role}` and `{wait}` are as the problem names them; `{detail}` are the words of whoever refused. */
const sentences: Record<ProblemType, Bilingual> = {
  "/problems/invalid-request": {
    sv: "Något i det som skickades är fel. Med serverns egna ord: ”{detail}”",
    en: "Something in what was sent is wrong. In the server's own words: “{detail}”",
  },
  "/problems/too-much": {
    sv: "Det är för mycket på en gång. Välj en kortare tid.",
    en: "That is too much at once. Choose a shorter time.",
  },
  "/problems/empty-file": { sv: "Filen är tom.", en: "The file is empty." },
  "/problems/sign-in": { sv: "Det här kräver rollen {role}. Logga in.", en: "This needs the role of {role}. Sign in." },
  "/problems/session-ended": {
    sv: "Sessionen har tagit slut, eller så har dess nyckel återkallats. Logga in igen.",
    en: "The session has ended, or its token was revoked. Sign in again.",
  },
  "/problems/wrong-token": {
    sv: "Ingen har den här nyckeln, eller så har den återkallats.",
    en: "Nobody has this token, or it was revoked.",
  },
  "/problems/role-too-low": {
    sv: "Det här kräver rollen {role}, som du inte har.",
    en: "This needs the role of {role}, which you do not have.",
  },
  "/problems/csrf": {
    sv: "Sidan hör till en äldre session. Ladda om den.",
    en: "This page belongs to an older session. Load it anew.",
  },
  "/problems/not-found": {
    sv: "Det som efterfrågades finns inte, eller inte längre.",
    en: "What was asked for is not there, or no more.",
  },
  "/problems/no-evidence": {
    sv: "Det finns inget underlag: det skrivs någon minut efter larmet och sparas en begränsad tid.",
    en: "There is no evidence: it is written a minute or so after the alarm and kept for a limited time.",
  },
  "/problems/method": {
    sv: "Servern kan inte detta. Den är kanske av en annan version än sidan: ladda om den.",
    en: "The server cannot do this. It may be of another version than this page: load it anew.",
  },
  "/problems/several-edges": { sv: "Flera edgar har den här modellen.", en: "Several edges have this model." },
  "/problems/edge-refused": {
    sv: "{edge} utförde det inte. Med dess egna ord: ”{detail}”",
    en: "{edge} did not do it. In its own words: “{detail}”",
  },
  "/problems/simulator-refused": {
    sv: "Simulatorn utförde det inte. Med dess egna ord: ”{detail}”",
    en: "The simulator did not do it. In its own words: “{detail}”",
  },
  "/problems/name-taken": { sv: "Det finns redan en nyckel med det namnet.", en: "There is a token of this name already." },
  "/problems/last-admin": {
    sv: "Det är den sista administratörens nyckel. Gör en ny först.",
    en: "This is the last token of an administrator. Make another one first.",
  },
  "/problems/from-environment": {
    sv: "Nyckeln kommer från serverns miljövariabler. Ta bort den där och starta om servern.",
    en: "This token comes from the server's environment. Take it away there and start the server again.",
  },
  "/problems/full": {
    sv: "Fler får inte plats. Ta bort några först.",
    en: "There is no room for more. Take some away first.",
  },
  "/problems/too-large": { sv: "Filen är för stor.", en: "The file is too large." },
  "/problems/content-type": {
    sv: "Servern tar inte emot det i den här formen. Den är kanske av en annan version än sidan: ladda om den.",
    en: "The server does not take this form of it. It may be of another version than this page: load it anew.",
  },
  "/problems/too-often": {
    sv: "Det kom för många frågor härifrån. Försök igen om {wait}.",
    en: "Too many questions came from here. Try again in {wait}.",
  },
  "/problems/too-many-guesses": {
    sv: "Det kom för många felaktiga nycklar härifrån. Försök igen om {wait}.",
    en: "Too many wrong tokens came from here. Try again in {wait}.",
  },
  "/problems/internal": {
    sv: "Ett fel i servern själv. Dess logg säger mer.",
    en: "An error in the server itself. Its log says more.",
  },
  "/problems/damaged": { sv: "Filen från {edge} kom fram skadad.", en: "The file from {edge} arrived damaged." },
  "/problems/broker-away": {
    sv: "Servern når inte brokern, så inget skickades. Försök igen senare.",
    en: "The server cannot reach the broker, so nothing was sent. Try again later.",
  },
  "/problems/edge-away": {
    sv: "{edge} är bortkopplad, så inget skickades. Försök igen när den är tillbaka.",
    en: "{edge} is offline, so nothing was sent. Try again when it is back.",
  },
  "/problems/simulator-away": {
    sv: "Ingen simulator har hört av sig än.",
    en: "No simulator has reported yet.",
  },
  "/problems/database": {
    sv: "Serverns databas svarar inte. Försök igen senare.",
    en: "The server's database does not answer. Try again later.",
  },
  "/problems/busy": {
    sv: "Servern är upptagen av andra. Försök igen om en stund.",
    en: "The server is busy with others. Try again in a while.",
  },
  "/problems/summarising": {
    sv: "Historiken sammanfattas först. Försök igen om en stund, eller välj en kortare tid.",
    en: "The history is being summarised first. Try again in a while, or choose a shorter time.",
  },
  "/problems/edge-silent": {
    sv: "{edge} svarade inte i tid. Det kan bli utfört ändå.",
    en: "{edge} did not answer in time. It may still be done.",
  },
  "/problems/simulator-silent": {
    sv: "Simulatorn svarade inte i tid. Det kan bli utfört ändå.",
    en: "The simulator did not answer in time. It may still be done.",
  },
  "/problems/no-change-yet": {
    sv: "{edge} tog emot det, men har inte ändrat något än.",
    en: "{edge} took it, but has changed nothing yet.",
  },
  "/problems/no-room": {
    sv: "Filen får inte plats på serverns disk.",
    en: "There is no room for the file on the server's disk.",
  },
};

function isRole(name: string | null | undefined): name is keyof typeof roles {
  return name != null && Object.hasOwn(roles, name);
}

export function inWords({ unreachable, status, details, waitS }: Problem): string {
  if (unreachable) return words.text("nobodyAnswered");
  const { detail = "", edge, role } = details;
  const values = {
    detail,
    edge: edge ?? words.text("theEdge"),
    role: isRole(role) ? words.of(roles[role]) : (role ?? ""),
    wait: waitS === null ? words.text("aWhile") : words.duration(waitS),
  };
  const known: Bilingual | undefined = (sentences as Record<string, Bilingual>)[details.type ?? ""];
  if (known !== undefined) return words.fill(known, values);
  return detail === "" ? words.text("httpError", { status: String(status) }) : words.fill(texts.serverSays, values);
}

/** What is no answer of the API's, nor the lack of one, is an error of this page's and thrown on. */
export function whyNot(error: unknown): Sentence {
  if (!(error instanceof Problem)) throw error;
  return () => inWords(error);
}
