// The API over HTTP: paths, parameters and answers are those of its OpenAPI document. An error carries what the API
// says of it (RFC 9457), or that nobody answered.
import createClient, { defaultPathSerializer } from "openapi-fetch";
import type { paths } from "./api";
import type { ProblemDetails } from "./contracts";

// relative, for where a reverse proxy has put the dashboard below a path
const ROOT = "api/v1";
const PATIENCE_MS = 15_000;
const UPLOAD_PATIENCE_MS = 120_000;
export const OCTETS = "application/octet-stream";

export class Problem extends Error {
  /** waitS: for how long not to ask again [s], where that was said */
  constructor(
    readonly status: number,
    readonly details: Partial<ProblemDetails> = {},
    readonly waitS: number | null = null,
  ) {
    super(details.detail ?? `HTTP ${status}`);
  }

  /** nobody answered: the network or the API is away */
  get unreachable(): boolean {
    return this.status === 0;
  }

  get forbidden(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

let serverAheadMs = 0;

/** Now [ms since 1970], by the server's clock: a visitor's telephone may be minutes off. */
export function serverNow(): number {
  return Date.now() + serverAheadMs;
}

function noteClock(response: Response): void {
  const date = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(date)) return;
  // the header has whole seconds: less than that is no difference
  const ahead = date - Date.now();
  serverAheadMs = Math.abs(ahead) < 2_000 ? 0 : ahead;
}

let csrf: string | null = null;

/** What every change of a session sends along, so that no foreign page can make one. */
export function useCsrf(token: string | null): void {
  csrf = token;
}

/** Whatever is no answer to the question throws a `Problem`. */
async function ask(request: Request): Promise<Response> {
  if (csrf !== null && request.method !== "GET") request.headers.set("X-CSRF-Token", csrf);
  const patience = request.headers.get("Content-Type") === OCTETS ? UPLOAD_PATIENCE_MS : PATIENCE_MS;
  const response = await fetch(request, { signal: AbortSignal.timeout(patience) }).catch(() => {
    throw new Problem(0);
  });
  noteClock(response);
  if (response.ok) return response;
  const answer: unknown = await response.json().catch(() => null);
  const waitS = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  throw new Problem(response.status, detailsOf(answer), Number.isNaN(waitS) ? null : waitS);
}

/** What is text where the API has text: a proxy may answer with anything. */
function detailsOf(answer: unknown): Partial<ProblemDetails> {
  if (typeof answer !== "object" || answer === null) return {};
  return Object.fromEntries(Object.entries(answer).filter(([, value]) => typeof value === "string" && value !== ""));
}

export const api = createClient<paths, "application/json">({
  baseUrl: ROOT,
  fetch: ask,
  cache: "no-store",
  headers: { Accept: "application/json" },
  // a file goes as it is
  bodySerializer: (body: unknown) => (body instanceof Blob ? body : JSON.stringify(body)),
});

/** What this client gives: with `data`, since all else is thrown. */
export type Asked<T> = Promise<{ data?: T }>;

/** What was answered. */
export async function told<T>(asked: Asked<T>): Promise<T> {
  const { data } = await asked.catch((problem: unknown) => {
    // an answer that was cut off is no answer
    throw problem instanceof Problem ? problem : new Problem(0);
  });
  if (data === undefined || data === null) throw new Problem(0);
  return data;
}

/** The items of a list. */
export async function listed<T>(asked: Asked<{ items: T[] }>): Promise<T[]> {
  return (await told(asked)).items;
}

/** What a change was answered with; null where there was nothing, or it was cut off: the change was made all the same. */
export async function done<T>(asked: Asked<T>): Promise<T | null> {
  try {
    return (await asked).data ?? null;
  } catch (problem) {
    if (problem instanceof Problem) throw problem;
    return null;
  }
}

/** Hand a file over to the browser, as a link would; what goes wrong is thrown and not saved. */
export async function download(asked: Asked<Blob>, name: string): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await told(asked));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

type Named<P extends keyof paths> = paths[P]["get"] extends { parameters: { path: infer Names } } ? [Names] : [];

/** Where something is, for a link or a stream. */
export function address<P extends keyof paths>(path: P, ...[names]: Named<P>): string {
  return `${ROOT}${defaultPathSerializer(path, (names ?? {}) as Record<string, unknown>)}`;
}
