// How everything is. An edge of an older version does not tell all of it: the rest is as the API's document has its defaults.
import type { EdgeStatus, Source, SystemStatus } from "../contracts";
import { api, told } from "../http";

const SOURCE = {
  clock_offset_s: null,
  last_sample: null,
  samples: 0,
  rejected: {},
  problem: null,
  notes: [],
  recovered: 0,
  silent: 0,
  one_by_one: 0,
} satisfies Partial<Source>;
const EDGE = {
  sources: {},
  models: {},
  journal: null,
  recording: null,
  refused: {},
  plant_problem: null,
  outputs: {},
  certificates: {},
  flood: false,
} satisfies Partial<EdgeStatus>;

export function whole(status: EdgeStatus): EdgeStatus {
  const edge = { ...EDGE, ...status };
  const sources = Object.entries(edge.sources).map(([name, source]) => [name, { ...SOURCE, ...source }]);
  return { ...edge, sources: Object.fromEntries(sources) };
}

export async function fetchStatus(): Promise<SystemStatus> {
  const status = await told(api.GET("/status"));
  return { ...status, edges: status.edges.map(whole) };
}
