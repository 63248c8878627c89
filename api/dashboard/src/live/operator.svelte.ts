// Who acts. The token is asked for once, kept for this browser tab, and forgotten when the API refuses it.
import { Problem, post } from "../http";

const KEY = "kullager.token";

class Operator {
  #token: string | null = sessionStorage.getItem(KEY);
  #answer: ((token: string | null) => void) | null = null;
  asking = $state(false);
  /** why the last token was refused, in the API's words */
  refusal = $state<string | null>(null);

  /** `#token=…` in the address is taken over and removed from the address bar. */
  takeFromAddress(): void {
    const match = /(?:^#|[?&])token=([^&]+)/.exec(location.hash);
    if (match?.[1] === undefined) return;
    this.#keep(decodeURIComponent(match[1]));
    const rest = location.hash.replace(match[0], "");
    history.replaceState(null, "", `${location.pathname}${location.search}${rest.startsWith("#") ? rest : ""}`);
    // who brings a token is no visitor
    if (rest.replace(/^#/, "") === "") location.replace("#/plant");
  }

  #keep(token: string): void {
    this.#token = token;
    sessionStorage.setItem(KEY, token);
  }

  #ask(refusal: string | null): Promise<string | null> {
    this.#answer?.(null);
    this.refusal = refusal;
    this.asking = true;
    return new Promise((resolve) => (this.#answer = resolve));
  }

  /** The dialog's answer; null when it was closed. */
  give(token: string | null): void {
    this.asking = false;
    this.#answer?.(token);
    this.#answer = null;
  }

  /** Send with the operator's token; null when the operator would not give one. */
  async post<T>(path: string, body: unknown): Promise<T | null> {
    let token = this.#token ?? (await this.#ask(null));
    while (token !== null) {
      try {
        const answer = await post(path, body, token);
        this.#keep(token);
        return answer as T;
      } catch (problem) {
        if (!(problem instanceof Problem) || !problem.forbidden) throw problem;
        this.#token = null;
        sessionStorage.removeItem(KEY);
        token = await this.#ask(problem.message);
      }
    }
    return null;
  }
}

export const operator = new Operator();
