// The plant as this page knows it: fetched once, kept up to date by the stream, and fetched anew after every gap.
import type {
  Alarm,
  Assessment,
  Asset,
  Case,
  CatalogueFault,
  EdgeStatus,
  Model,
  ModelAudit,
  Performance,
  SystemStatus,
} from "../contracts";
import { Problem, api, done, listed, serverNow } from "../http";
import { fetchStatus, whole } from "./edges";
import { Stream } from "./stream";

// one repaint for what arrives together: a replay may bring hundreds of messages a second
const GATHER_MS = 100;
const SLOW_ROUND_MS = 15_000;
const QUICK_ROUND_MS = 4_000;
const SILENCE_MS = 20_000;
const STREAM_FIRST_MS = 1_500;
const MOST_CLOSED_ALARMS = 100;

export type Connection = "connecting" | "live" | "lost";
type Watcher = (assessments: Assessment[]) => void;

/** Is `a` newer than `b`? Within a journal by number: a replay may turn time back. */
function newer(a: Assessment, b: Assessment | undefined): boolean {
  if (b === undefined) return true;
  return a.journal === b.journal ? a.seq > b.seq : Date.parse(a.time) >= Date.parse(b.time);
}

function changedLater<T extends Alarm | Case>(a: T, b: T | undefined): boolean {
  if (b === undefined) return true;
  return a.journal === b.journal ? a.seq >= b.seq : Date.parse(a.changed) >= Date.parse(b.changed);
}

class Plant {
  connection = $state<Connection>("connecting");
  /** since when the connection is lost [ms], by the server's clock */
  lostSince = $state(0);
  /** raised after every fetch that followed a gap, so that histories are fetched anew */
  epoch = $state(0);
  loaded = $state(false);
  problem = $state<Problem | null>(null);

  assets = $state.raw<Asset[]>([]);
  latest = $state.raw<Record<string, Assessment>>({});
  /** when the newest assessment of an asset came in over the stream [ms] */
  arrived = $state.raw<Record<string, number>>({});
  alarms = $state.raw<Record<string, Alarm>>({});
  cases = $state.raw<Record<string, Case>>({});
  /** the newest of each asset */
  performance = $state.raw<Record<string, Performance>>({});
  models = $state.raw<Model[]>([]);
  /** the steps that models have taken, the oldest first */
  audit = $state.raw<ModelAudit[]>([]);
  edges = $state.raw<Record<string, EdgeStatus>>({});
  broker = $state.raw<SystemStatus["broker"] | null>(null);
  faults = $state.raw<CatalogueFault[]>([]);

  #stream = new Stream({
    opened: () => void this.#opened(),
    lost: () => this.#lost(),
    missed: () => void this.#fetchAll().then(() => this.epoch++),
    assessment: (message) => this.#gather(this.#newAssessments, message),
    alarm: (message) => this.#gather(this.#newAlarms, message),
    case: (message) => this.#gather(this.#newCases, message),
    performance: (message) => this.#gather(this.#newPerformance, message),
    audit: () => void this.#fetchModels(),
    status: (message) => this.#gather(this.#newStatus, message),
  });
  #newAssessments: Assessment[] = [];
  #newAlarms: Alarm[] = [];
  #newCases: Case[] = [];
  #newPerformance: Performance[] = [];
  #newStatus: EdgeStatus[] = [];
  #gathering = false;
  #heard = 0;
  #watchers = new Map<string, Set<Watcher>>();

  start(): void {
    this.#stream.open();
    // the stream comes first, so that nothing falls between it and what is fetched; a page without one still loads
    setTimeout(() => this.loaded || void this.#fetchAll(), STREAM_FIRST_MS);
    setInterval(() => void this.#slowRound(), SLOW_ROUND_MS);
    setInterval(() => this.#quickRound(), QUICK_ROUND_MS);
    addEventListener("online", () => this.#stream.open());
    // a page that comes back from the browser's cache has a dead stream
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.#stream.open();
    });
  }

  /** Nobody tells how edges and sources are, or nobody has told yet: what was said of them last is not how they are. */
  get blind(): boolean {
    return this.connection === "lost" || this.broker?.connected !== true;
  }

  /** Be told of every assessment of an asset, also of late ones; returns the way out. */
  watch(asset: string, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(asset) ?? new Set();
    this.#watchers.set(asset, watchers.add(watcher));
    return () => watchers.delete(watcher);
  }

  model(asset: string): Model | undefined {
    return this.models.find((model) => model.assets.includes(asset) && model.role === "champion");
  }

  /** What is wrong with an asset and not over yet. */
  openCase(asset: string): Case | undefined {
    return Object.values(this.cases)
      .filter((of) => of.asset === asset && of.state === "open")
      .sort((a, b) => Date.parse(b.changed) - Date.parse(a.changed))[0];
  }

  /** The closed alarms, too: only the list of alarms wants them. */
  async fetchClosedAlarms(): Promise<void> {
    await this.#optional(async () => this.takeAlarms(await listed(api.GET("/alarms", { params: { query: { state: "all" } } }))));
  }

  async inject(asset: string, fault: string, overS: number): Promise<void> {
    await this.#onSimulator(() => done(api.POST("/simulator/faults", { body: { asset, fault, severity: 1.0, over_s: overS } })));
  }

  async repair(asset: string): Promise<void> {
    await this.#onSimulator(() => done(api.DELETE("/simulator/faults/{asset}", { params: { path: { asset } } })));
  }

  async #onSimulator(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (problem) {
      if (problem instanceof Problem && problem.forbidden) this.faults = [];
      throw problem;
    }
    await this.#fetchFaults();
    setTimeout(() => void this.#fetchFaults(), 1500);
  }

  #gather<T>(queue: T[], message: T): void {
    queue.push(message);
    this.#heard = Date.now();
    if (this.#gathering) return;
    this.#gathering = true;
    setTimeout(() => this.#apply(), GATHER_MS);
  }

  #apply(): void {
    this.#gathering = false;
    const assessments = this.#newAssessments.splice(0);
    const alarms = this.#newAlarms.splice(0);
    const cases = this.#newCases.splice(0);
    const performance = this.#newPerformance.splice(0);
    const status = this.#newStatus.splice(0);
    if (assessments.length > 0) this.#takeAssessments(assessments);
    if (alarms.length > 0) this.takeAlarms(alarms);
    if (cases.length > 0) this.#takeCases(cases);
    if (performance.length > 0)
      this.performance = { ...this.performance, ...Object.fromEntries(performance.map((of) => [of.asset, of])) };
    if (status.length > 0) this.edges = { ...this.edges, ...Object.fromEntries(status.map((edge) => [edge.edge, whole(edge)])) };
  }

  #takeAssessments(assessments: Assessment[]): void {
    const latest = { ...this.latest };
    const arrived = { ...this.arrived };
    const byAsset = new Map<string, Assessment[]>();
    for (const assessment of assessments) {
      const { asset } = assessment;
      byAsset.set(asset, [...(byAsset.get(asset) ?? []), assessment]);
      if (!newer(assessment, latest[asset])) continue;
      latest[asset] = assessment;
      arrived[asset] = serverNow();
    }
    this.latest = latest;
    this.arrived = arrived;
    for (const [asset, of] of byAsset) this.#watchers.get(asset)?.forEach((watcher) => watcher(of));
    // an asset that the plant has gained since this page was loaded
    if ([...byAsset.keys()].some((id) => !this.assets.some((asset) => asset.id === id))) void this.#fetchAll();
  }

  takeAlarms(alarms: Alarm[]): void {
    const all = { ...this.alarms };
    for (const alarm of alarms) if (changedLater(alarm, all[alarm.alarm_id])) all[alarm.alarm_id] = alarm;
    const closed = Object.values(all)
      .filter((alarm) => alarm.state === "normal")
      .sort((a, b) => Date.parse(b.changed) - Date.parse(a.changed));
    for (const alarm of closed.slice(MOST_CLOSED_ALARMS)) delete all[alarm.alarm_id];
    this.alarms = all;
  }

  #takeCases(cases: Case[]): void {
    const all = { ...this.cases };
    for (const of of cases) if (changedLater(of, all[of.case_id])) all[of.case_id] = of;
    this.cases = all;
  }

  async #opened(): Promise<void> {
    const gap = this.connection === "lost";
    this.connection = "live";
    this.#heard = Date.now();
    await this.#fetchAll();
    if (gap) this.epoch++;
  }

  #lost(): void {
    if (this.connection !== "lost") this.lostSince = serverNow();
    this.connection = "lost";
  }

  async #fetchAll(): Promise<void> {
    try {
      const [before, casesBefore] = [this.alarms, this.cases];
      const [assets, open, cases] = await Promise.all([
        listed(api.GET("/assets")),
        listed(api.GET("/alarms")),
        listed(api.GET("/cases")),
      ]);
      this.assets = assets;
      const latest = { ...this.latest };
      for (const { id, latest: newest } of assets) if (newest !== null && newer(newest, latest[id])) latest[id] = newest;
      this.latest = latest;
      // what was open and is not any more has come to its end while nobody told us
      const stillOpen = new Set(open.map((alarm) => alarm.alarm_id));
      const gone = (alarm: Alarm): boolean =>
        alarm.state !== "normal" && alarm === before[alarm.alarm_id] && !stillOpen.has(alarm.alarm_id);
      this.alarms = Object.fromEntries(Object.entries(this.alarms).filter(([, alarm]) => !gone(alarm)));
      this.takeAlarms(open);
      this.cases = Object.fromEntries(Object.entries(this.cases).filter(([id, of]) => of !== casesBefore[id]));
      this.#takeCases(cases);
      this.loaded = true;
      this.problem = null;
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      this.problem = problem;
      if (!this.loaded) setTimeout(() => void this.#fetchAll(), 2000);
      return;
    }
    await this.#fetchRest();
  }

  async #fetchRest(): Promise<void> {
    await Promise.all([this.#fetchModels(), this.#fetchStatus(), this.#fetchFaults()]);
  }

  async #fetchModels(): Promise<void> {
    await this.#optional(async () => {
      [this.models, this.audit] = await Promise.all([listed(api.GET("/models")), listed(api.GET("/models/audit"))]);
    });
  }

  async #fetchStatus(): Promise<void> {
    await this.#optional(async () => {
      const status = await fetchStatus();
      this.edges = Object.fromEntries(status.edges.map((edge) => [edge.edge, edge]));
      this.broker = status.broker;
    });
  }

  async #fetchFaults(): Promise<void> {
    try {
      this.faults = await listed(api.GET("/simulator/faults"));
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!problem.unreachable) this.faults = [];
    }
  }

  /** What the page can do without for a while; the next round brings it. */
  async #optional(fetch: () => Promise<unknown>): Promise<void> {
    try {
      await fetch();
    } catch (problem) {
      if (!(problem instanceof Problem)) throw problem;
      if (!problem.unreachable) console.warn(problem.message);
    }
  }

  /** When nothing comes, or the broker is away, ask why: the stream cannot tell. */
  #quickRound(): void {
    const quiet = Date.now() - this.#heard > QUICK_ROUND_MS || this.broker?.connected === false;
    if (this.loaded && this.connection === "live" && quiet) void this.#fetchStatus();
  }

  async #slowRound(): Promise<void> {
    if (this.connection === "live" && Date.now() - this.#heard > SILENCE_MS) {
      // a half-open connection looks like silence: only the API itself can tell them apart
      const before = this.latest;
      await this.#fetchAll();
      const missed = this.assets.some(({ id }) => this.latest[id]?.seq !== before[id]?.seq);
      if (missed || this.problem !== null) {
        this.#lost();
        this.#stream.open();
      }
    } else if (this.loaded) await this.#fetchRest();
  }
}

export const plant = new Plant();
