// What the address says before its `#`, of the page as a whole: ?lang=sv, ?theme=dark, ?kiosk.

export function asked(name: string): string | null {
  return new URLSearchParams(location.search).get(name);
}

/** Put it into the address, without a step back; null takes it out. */
export function ask(name: string, value: string | null): void {
  const search = new URLSearchParams(location.search);
  if (value === null) search.delete(name);
  else search.set(name, value);
  // `kiosk` has no value, and looks like it
  const text = search.toString().replace(/=(?=&|$)/g, "");
  history.replaceState(null, "", `${location.pathname}${text === "" ? "" : `?${text}`}${location.hash}`);
}
