// Light or dark: as the system has it, unless the address says otherwise (?theme=light, ?theme=dark).
import { asked, ask } from "../address";

export const THEMES = ["auto", "light", "dark"] as const;
export type ThemeName = (typeof THEMES)[number];

const system = matchMedia("(prefers-color-scheme: dark)");

class Theme {
  #chosen = $state<ThemeName>(THEMES.find((name) => name === asked("theme")) ?? "auto");
  #system = $state(system.matches);
  dark = $derived(this.#chosen === "auto" ? this.#system : this.#chosen === "dark");

  constructor() {
    this.#show();
    system.addEventListener("change", ({ matches }) => {
      this.#system = matches;
      this.#show();
    });
  }

  get chosen(): ThemeName {
    return this.#chosen;
  }

  set chosen(name: ThemeName) {
    this.#chosen = name;
    ask("theme", name === "auto" ? null : name);
    this.#show();
  }

  /** At once, and not in an effect: charts read their colours from the style sheet when `dark` changes. */
  #show(): void {
    document.documentElement.dataset["theme"] = this.dark ? "dark" : "light";
  }
}

export const theme = new Theme();
