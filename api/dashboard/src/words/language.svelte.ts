// The chosen language, and numbers and times as it writes them.
import { ask, asked } from "../address";
import type { Bilingual, Language, Waveform } from "../contracts";
import { faultNames, people, rejections, spectrumLines, texts, units, type TextKey } from "./texts";

const KEY = "kullager.language";
const LOCALES: Record<Language, string> = { sv: "sv-SE", en: "en-GB" };

function firstLanguage(): Language {
  const wanted = asked("lang");
  if (wanted === "sv" || wanted === "en") return wanted;
  const kept = localStorage.getItem(KEY);
  if (kept === "sv" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("en") ? "en" : "sv";
}

class Words {
  #language = $state<Language>(firstLanguage());
  #formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();

  get language(): Language {
    return this.#language;
  }

  set language(language: Language) {
    this.#language = language;
    localStorage.setItem(KEY, language);
    ask("lang", language);
  }

  get locale(): string {
    return LOCALES[this.#language];
  }

  of(both: Bilingual): string {
    return both[this.#language];
  }

  text(key: TextKey, values: Record<string, string | number> = {}): string {
    return this.fill(texts[key], values);
  }

  /** A text of any table, with its values in place. */
  fill(both: Bilingual, values: Record<string, string | number> = {}): string {
    return both[this.#language].replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === "number" ? this.number(value, 0) : value;
    });
  }

  signal(signal: Waveform): string {
    return capitalised(this.of(signal.label));
  }

  fault(name: string): string {
    return this.#known(faultNames, name);
  }

  rejection(name: string): string {
    return rejections[name]?.[this.#language] ?? name;
  }

  person(name: string): string {
    return people[name]?.[this.#language] ?? name;
  }

  spectrumLine(name: string): string {
    return spectrumLines[name]?.[this.#language] ?? "";
  }

  #known(table: Record<string, Bilingual>, name: string): string {
    const known = table[name];
    if (known !== undefined) return known[this.#language];
    return capitalised(name.replace(/[_-]+/g, " "));
  }

  unit(ucum: string): string {
    return units[ucum]?.sign[this.#language] ?? ucum;
  }

  number(value: number, decimals: number): string {
    const format = this.#format(`number ${decimals}`, () => {
      const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
      return new Intl.NumberFormat(this.locale, digits);
    }) as Intl.NumberFormat;
    // no "-0"
    return format.format(Math.abs(value) < 0.5 * 10 ** -decimals ? 0 : value);
  }

  /** A quantity without its unit. */
  value(value: number, ucum: string): string {
    const whole = ucum === "1" && Number.isInteger(value);
    return this.number(value, whole ? 0 : (units[ucum]?.decimals ?? decimalsFor(value)));
  }

  /** A quantity with its unit, never broken over two lines. */
  quantity(value: number, ucum: string): string {
    const unit = this.unit(ucum);
    return unit === "" ? this.value(value, ucum) : `${this.value(value, ucum)}\u00a0${unit}`;
  }

  /** A number with about three figures. */
  figures(value: number): string {
    return this.number(value, decimalsFor(value));
  }

  /** A unit below a fraction line: a unit of what is counted is a piece. */
  perUnit(ucum: string): string {
    return ucum === "1" ? this.text("piece") : this.unit(ucum);
  }

  percent(share: number): string {
    const format = this.#format("percent", () => new Intl.NumberFormat(this.locale, { style: "percent" }));
    return (format as Intl.NumberFormat).format(share);
  }

  score(score: number): string {
    return this.number(score, score < 10 ? 2 : score < 100 ? 1 : 0);
  }

  clock(ms: number, seconds = true): string {
    return this.#time(`clock ${seconds}`, {
      hour: "2-digit",
      minute: "2-digit",
      ...(seconds ? { second: "2-digit" } : {}),
    }).format(ms);
  }

  /** Time of day, with the date where it is not today's. */
  moment(ms: number, now: number): string {
    if (new Date(ms).toDateString() === new Date(now).toDateString()) return this.clock(ms);
    return this.#time("moment", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" }).format(
      ms,
    );
  }

  /** A day and a time of day, always with both. */
  dayAndTime(ms: number): string {
    return this.#time("dayAndTime", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(
      ms,
    );
  }

  dayOfMonth(ms: number): string {
    return this.#time("dayOfMonth", { day: "numeric", month: "short" }).format(ms);
  }

  day(ms: number): string {
    return this.#time("day", { day: "numeric", month: "short", year: "numeric" }).format(ms);
  }

  /** A length of time, in the unit that reads best for it, or for `like`. */
  duration(seconds: number, like = seconds): string {
    if (like < 100) return this.text("seconds", { n: this.number(seconds, 0) });
    if (like < 3600) return this.text("minutes", { n: this.number(seconds / 60, 0) });
    if (like < 72 * 3600) return this.text("hours", { n: this.number(seconds / 3600, 0) });
    return this.text("days", { n: this.number(seconds / 86_400, 0) });
  }

  #time(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
    return this.#format(key, () => new Intl.DateTimeFormat(this.locale, options)) as Intl.DateTimeFormat;
  }

  #format<T extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: () => T): T {
    const whole = `${this.#language} ${key}`;
    let format = this.#formats.get(whole) as T | undefined;
    if (format === undefined) this.#formats.set(whole, (format = make()));
    return format;
  }
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function decimalsFor(value: number): number {
  const size = Math.abs(value);
  return size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
}

export const words = new Words();
