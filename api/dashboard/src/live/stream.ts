// The live stream. The browser resumes a broken connection by itself (Last-Event-ID), but gives up for good when
// the server answers with an error, as a restarting one behind a proxy does: then a new connection is made here.
import type { Alarm, Assessment, Case, EdgeStatus, ModelAudit, Performance } from "../contracts";
import { address } from "../http";

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;

export interface Listener {
  opened(): void;
  lost(): void;
  /** more was missed than the server could make up for */
  missed(): void;
  assessment(message: Assessment): void;
  alarm(message: Alarm): void;
  case(message: Case): void;
  performance(message: Performance): void;
  audit(message: ModelAudit): void;
  status(message: EdgeStatus): void;
}

export class Stream {
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #waitMs = FIRST_WAIT_MS;

  constructor(readonly listener: Listener) {}

  open(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    const source = new EventSource(address("/stream"));
    this.#source = source;
    source.onopen = () => {
      this.#waitMs = FIRST_WAIT_MS;
      this.listener.opened();
    };
    source.onerror = () => {
      this.listener.lost();
      if (source.readyState === EventSource.CLOSED) this.#openLater();
    };
    source.addEventListener("resync", () => this.listener.missed());
    source.addEventListener("assessment", (event) => this.#pass(event, (m: Assessment) => this.listener.assessment(m)));
    source.addEventListener("alarm", (event) => this.#pass(event, (m: Alarm) => this.listener.alarm(m)));
    source.addEventListener("case", (event) => this.#pass(event, (m: Case) => this.listener.case(m)));
    source.addEventListener("performance", (event) => this.#pass(event, (m: Performance) => this.listener.performance(m)));
    source.addEventListener("audit", (event) => this.#pass(event, (m: ModelAudit) => this.listener.audit(m)));
    source.addEventListener("status", (event) => this.#pass(event, (m: EdgeStatus) => this.listener.status(m)));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = null;
  }

  #openLater(): void {
    clearTimeout(this.#timer);
    // jitter: a hall full of screens must not come back in one instant
    this.#timer = setTimeout(() => this.open(), this.#waitMs * (0.5 + Math.random()));
    this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
  }

  #pass<T>(event: MessageEvent<string>, take: (message: T) => void): void {
    let message: T;
    try {
      message = JSON.parse(event.data) as T;
    } catch (error) {
      console.warn(`a ${event.type} that is not JSON was left out`, error);
      return;
    }
    take(message);
  }
}
