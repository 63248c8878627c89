// The view's state is in its address: #/?machine=<id> , #/plant , #/alarms , #/assets/<id>?range=30m

export type Route = { page: "visitor"; machine: string | null } | { page: "plant" } | { page: "alarms" } | { page: "asset"; asset: string; range: Range };

export const RANGES = { live: 120, "5m": 300, "30m": 1800, "6h": 21_600 } as const;
export type Range = keyof typeof RANGES;

function isRange(text: string | null): text is Range {
  return text !== null && text in RANGES;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter((part) => part !== "");
  if (parts[0] === "plant") return { page: "plant" };
  if (parts[0] === "alarms") return { page: "alarms" };
  if (parts[0] === "assets" && parts[1] !== undefined) {
    const range = new URLSearchParams(query).get("range");
    return { page: "asset", asset: decodeURIComponent(parts[1]), range: isRange(range) ? range : "5m" };
  }
  return { page: "visitor", machine: new URLSearchParams(query).get("machine") };
}

class Router {
  current = $state.raw<Route>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => {
      const before = this.current;
      this.current = parse(location.hash);
      const moved =
        before.page !== this.current.page ||
        ("asset" in before && "asset" in this.current && before.asset !== this.current.asset);
      if (moved) scrollTo(0, 0);
    });
  }

  to(address: string): void {
    if (location.hash !== address) location.hash = address;
  }
}

export const router = new Router();

export function assetAddress(asset: string, range?: Range): string {
  return `#/assets/${encodeURIComponent(asset)}${range === undefined ? "" : `?range=${range}`}`;
}

/** A machine on the visitor's page. */
export function machineAddress(asset: string): string {
  return `#/?machine=${encodeURIComponent(asset)}`;
}
