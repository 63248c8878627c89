"""Where a page's boxes lie: none over its neighbour, and none out of what it stands in. Boxes, not pixels."""

from typing import Final

from playwright.sync_api import Page

# what is placed on purpose (`position`), drawn, or scrolls in a frame of its own is let be; a pixel is lost to rounding
MISPLACED: Final = """() => {
  const SLACK = 1.5, MOST = 12, found = [];
  const name = e => {
    const test = e.closest("[data-testid]")?.dataset.testid;
    const classes = [...e.classList].filter(c => !c.startsWith("s-") && !c.startsWith("svelte-")).join(".");
    const words = (e.textContent ?? "").trim().replace(/\\s+/g, " ").slice(0, 40);
    return `${test ? test + " " : ""}<${e.localName} ${classes}> ${JSON.stringify(words)}`;
  };
  const stands = e => {
    const {display, position, visibility} = getComputedStyle(e);
    if (display === "none" || display === "contents" || display.startsWith("inline") || visibility === "hidden") return false;
    if (position === "absolute" || position === "fixed" || e.getClientRects().length === 0) return false;
    return !e.closest("svg, canvas, .uplot, .unseen, dialog");
  };
  const around = e => {
    let p = e.parentElement;
    while (p !== null && getComputedStyle(p).display === "contents") p = p.parentElement;
    return p;
  };
  const placed = e => [...e.children].some(child => getComputedStyle(child).position === "absolute");
  const box = e => e.getBoundingClientRect();
  const groups = new Map();
  for (const e of document.querySelectorAll("#app *")) {
    if (!stands(e)) continue;
    const p = around(e);
    if (p === null) continue;
    groups.set(p, [...(groups.get(p) ?? []), e]);
    const [a, b] = [box(e), box(p)], flow = getComputedStyle(p);
    if (flow.overflowX !== "visible" || flow.display.startsWith("inline")) continue;
    if (a.left < b.left - SLACK || a.right > b.right + SLACK) found.push(`${name(e)} runs out of ${name(p)}`);
    if (getComputedStyle(e).overflowX === "visible" && !placed(e) && e.scrollWidth > e.clientWidth + SLACK && e.clientWidth > 0)
      found.push(`${name(e)} is too narrow for what is in it`);
  }
  for (const of of groups.values())
    of.forEach((e, i) => of.slice(i + 1).forEach(other => {
      const [a, b] = [box(e), box(other)];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > SLACK && down > SLACK) found.push(`${name(e)} lies over ${name(other)}`);
    }));
  return found.slice(0, MOST);
}"""


def misplaced(page: Page) -> list[str]:
    """What lies over its neighbour, runs out of its parent, or is too narrow for its own words."""
    told: list[str] = page.evaluate(MISPLACED)
    return told
