// The API over HTTP. An error carries the API's own words (RFC 9457), or says that nobody answered.

const ROOT = "api/v1";
const PATIENCE_MS = 15_000;
const UPLOAD_PATIENCE_MS = 120_000;

export class Problem extends Error {
  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
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

async function ask(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...more };
  const file = body instanceof Blob;
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  if (csrf !== null && method !== "GET") headers["X-CSRF-Token"] = csrf;
  let response: Response;
  try {
    response = await fetch(`${ROOT}/${path}`, {
      method,
      headers,
      cache: "no-store",
      signal: AbortSignal.timeout(file ? UPLOAD_PATIENCE_MS : PATIENCE_MS),
      ...(body === undefined ? {} : { body: file ? body : JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, "");
  }
  noteClock(response);
  if (!response.ok) {
    const answer: unknown = await response.json().catch(() => null);
    throw new Problem(response.status, inWords(answer) ?? `HTTP ${response.status}`);
  }
  return response;
}

async function send(method: string, path: string, body?: unknown, more?: Record<string, string>): Promise<unknown> {
  const response = await ask(method, path, body, more);
  const answer: unknown = await response.json().catch(() => null);
  // an answer that was cut off is no answer
  if (method === "GET" && answer === null) throw new Problem(0, "");
  return answer;
}

function inWords(answer: unknown): string | null {
  if (typeof answer !== "object" || answer === null) return null;
  const { detail, title } = answer as { detail?: unknown; title?: unknown };
  if (typeof detail === "string" && detail !== "") return detail;
  return typeof title === "string" ? title : null;
}

export async function get<T>(path: string): Promise<T> {
  return (await send("GET", path)) as T;
}

export async function list<T>(path: string): Promise<T[]> {
  return (await get<{ items: T[] }>(path)).items;
}

/** Hand a file over to the browser, as a link would; what goes wrong is thrown and not saved. */
export async function download(path: string, name: string): Promise<void> {
  const response = await ask("GET", path);
  const content = await response.blob().catch(() => {
    throw new Problem(0, "");
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

export function address(path: string): string {
  return `${ROOT}/${path}`;
}

export function post(path: string, body: unknown): Promise<unknown> {
  return send("POST", path, body);
}

export function remove(path: string): Promise<unknown> {
  return send("DELETE", path);
}

/** The bytes of a file as they are. */
export function upload(path: string, file: Blob, headers: Record<string, string>): Promise<unknown> {
  return send("POST", path, file, headers);
}
