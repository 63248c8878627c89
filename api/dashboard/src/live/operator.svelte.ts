// Who acts. A token is given once and becomes a session of this browser: a cookie that no script can read.
import type { Role, Session } from "../contracts";
import { Problem, api, done, told, useCsrf, type Asked } from "../http";
import { whyNot, type Sentence } from "../words/problem";

const ORDER: readonly Role[] = ["visitor", "operator", "engineer", "admin"];

class Operator {
  name = $state<string | null>(null);
  role = $state<Role>("visitor");
  asking = $state(false);
  /** why something was refused */
  refusal = $state.raw<Sentence | null>(null);
  #answer: ((signedIn: boolean) => void) | null = null;
  #looked: Promise<void> | null = null;

  may(needed: Role): boolean {
    return ORDER.indexOf(this.role) >= ORDER.indexOf(needed);
  }

  /** Who is signed in already? Asked once; without an answer nobody is. */
  look(): Promise<void> {
    return (this.#looked ??= told(api.GET("/session")).then(
      (session) => this.#take(session),
      (problem: unknown) => {
        if (!(problem instanceof Problem)) throw problem;
        this.#looked = null;
      },
    ));
  }

  /** `#token=…` in the address is taken over and removed from the address bar. */
  takeFromAddress(): void {
    const match = /(?:^#|[?&])token=([^&]+)/.exec(location.hash);
    if (match?.[1] === undefined) return;
    const rest = location.hash.replace(match[0], "");
    history.replaceState(null, "", `${location.pathname}${location.search}${rest.startsWith("#") ? rest : ""}`);
    // who brings a token is no visitor
    if (rest.replace(/^#/, "") === "") location.replace("#/plant");
    const token = decodeURIComponent(match[1]);
    // one after the other: the last token counts, whichever answer is slow
    this.#looked = Promise.resolve(this.#looked)
      .then(() => this.signIn(token))
      .catch((problem: unknown) => {
        if (!(problem instanceof Problem)) throw problem;
        void this.ask(whyNot(problem));
      });
  }

  async signIn(token: string): Promise<void> {
    this.#take(await told(api.POST("/session", { body: { token } })));
  }

  async signOut(): Promise<void> {
    await done(api.DELETE("/session"));
    this.#take({ name: null, role: "visitor", csrf: null });
  }

  /** Open the dialog; whether somebody has signed in when it closes. */
  ask(refusal: Sentence | null = null): Promise<boolean> {
    this.#answer?.(false);
    this.refusal = refusal;
    this.asking = true;
    return new Promise((resolve) => (this.#answer = resolve));
  }

  /** The dialog is done. */
  close(signedIn: boolean): void {
    this.asking = false;
    this.#answer?.(signedIn);
    this.#answer = null;
  }

  /** As who is signed in; null when nobody would sign in who may. */
  async act<T>(act: () => Asked<T>): Promise<T | null> {
    await this.#looked;
    for (;;) {
      try {
        return await done(act());
      } catch (problem) {
        if (!(problem instanceof Problem) || !problem.forbidden) throw problem;
        // one who is signed in is told why that is not enough; to a visitor the dialog says it
        const signedIn = await this.ask(this.role === "visitor" ? null : whyNot(problem));
        if (!signedIn) return null;
      }
    }
  }

  #take({ name, role, csrf }: Session): void {
    this.name = name;
    this.role = role;
    useCsrf(csrf);
  }
}

export const operator = new Operator();
