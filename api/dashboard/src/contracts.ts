// What the API says, by the dashboard's names: all of it is generated from the OpenAPI document (`python -m api.dashboard_types`).
// Times are RFC 3339 in UTC, a missing number is null.
import type { components } from "./api";

type Schemas = components["schemas"];

export type Bilingual = Schemas["BilingualText"];
export type Language = keyof Bilingual;

export type Asset = Schemas["AssetAnswer"];
export type Signal = Schemas["SignalAnswer"];
/** A fast signal: it has no single value, only blocks and their spectra. */
export type Waveform = Schemas["WaveformAnswer"];
export type Spectrum = Schemas["WaveformSpectrum"];
export type SpectrumLine = Schemas["SpectrumLine"];

export type Assessment = Schemas["Assessment"];
export type State = Schemas["State"];
export type Reason = Schemas["Reason"];
export type Zone = Schemas["Zone"];
export type Fault = Schemas["FaultMode"];
export type RemainingLife = Schemas["RemainingLife"];

export type Alarm = Schemas["Alarm"];
export type AlarmState = Schemas["AlarmState"];
export type Suppression = Schemas["Suppression"];
export type Priority = Schemas["Priority"];
/** What somebody says or asks with a change of an alarm. */
export type Remark = Schemas["Remark"] | Schemas["NewComment"] | Schemas["Shelving"];
export type AlarmPerformance = Schemas["AlarmPerformanceAnswer"];
export type Advice = Schemas["Advice"];
export type Case = Schemas["Case"];

export type Label = Schemas["LabelAnswer"];
export type NewLabel = Schemas["LabelBody"];
export type Condition = Label["label"];
export type Verdict = NonNullable<Label["verdict"]>;

export type Performance = Schemas["Performance"];
export type PerformanceTotal = Schemas["PerformanceTotalAnswer"];
export type SpecificEnergy = Schemas["SpecificEnergy"];
export type Operation = Schemas["Operation"];
export type Quality = Schemas["QualityAnswer"];
export type SignalQuality = Schemas["SignalQualityAnswer"];

export type Model = Schemas["ModelAnswer"];
export type Shadow = Schemas["ShadowStatus"];
export type ModelStep = Schemas["ModelStep"];
export type ModelAudit = Schemas["ModelAudit"];

export type SystemStatus = Schemas["StatusAnswer"];
export type EdgeStatus = Schemas["EdgeStatus"];
export type Source = Schemas["SourceStatus"];

export type CatalogueFault = Schemas["AssetFaultAnswer"];
export type Scenario = Schemas["ScenarioAnswer"];
/** What the simulator says of a machine's newest fault; `fails` is when the fault is complete, or would have been. */
export type Truth = Schemas["TruthAnswer"];
export type Episode = Schemas["EpisodeAnswer"];

export type Role = Schemas["Role"];
export type Session = Schemas["SessionAnswer"];
export type Token = Schemas["TokenAnswer"];
export type ProblemDetails = Schemas["ProblemDetails"];
export type ProblemType = Schemas["ProblemType"];
export type AuditEntry = Schemas["AuditEntryAnswer"];
