// The view's state is in its address: #/?machine=<id> , #/plant , #/assets/<id>?range=30m , #/operations… and #/models… with
// what these say themselves

export type Route =
  | { page: "visitor"; machine: string | null }
  | { page: "plant" }
  | { page: "asset"; asset: string; range: Range }
  | { page: "operations"; path: string[]; query: URLSearchParams }
  | { page: "models"; path: string[]; query: URLSearchParams };

export const RANGES = { live: 120, "5m": 300, "30m": 1800, "6h": 21_600 } as const;
export type Range = keyof typeof RANGES;

function isRange(text: string | null): text is Range {
  return text !== null && text in RANGES;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#/, "").split("?");
  const parts = path.split("/").filter((part) => part !== "");
  if (parts[0] === "operations" || parts[0] === "models") {
    return { page: parts[0], path: parts.slice(1).map(decodeURIComponent), query: new URLSearchParams(query) };
  }
  if (parts[0] === "plant") return { page: "plant" };
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
      this.read();
      const moved =
        before.page !== this.current.page ||
        ("asset" in before && "asset" in this.current && before.asset !== this.current.asset) ||
        ("path" in before && "path" in this.current && before.path[0] !== this.current.path[0]);
      if (moved) scrollTo(0, 0);
    });
  }

  read(): void {
    this.current = parse(location.hash);
  }

  to(address: string): void {
    if (location.hash !== address) location.hash = address;
  }
}

export const router = new Router();

export function assetAddress(asset: string, range?: Range): string {
  return `#/assets/${encodeURIComponent(asset)}${range === undefined ? "" : `?range=${range}`}`;
}

/** Change what the address asks for within its page, without a step back for each change; null takes a part away. */
export function narrow(parts: Record<string, string | null>): void {
  const [path = "", query = ""] = location.hash.split("?");
  const asked = new URLSearchParams(query);
  for (const [name, value] of Object.entries(parts)) {
    if (value === null) asked.delete(name);
    else asked.set(name, value);
  }
  const rest = asked.toString();
  history.replaceState(null, "", `${path}${rest === "" ? "" : `?${rest}`}`);
  router.read();
}

/** A machine on the visitor's page. */
export function machineAddress(asset: string): string {
  return `#/?machine=${encodeURIComponent(asset)}`;
}
