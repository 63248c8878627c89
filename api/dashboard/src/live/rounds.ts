/** Ask now and then again and again; returns the way out. */
export function inRounds(ask: () => unknown, everyMs: number): () => void {
  void ask();
  const timer = setInterval(() => void ask(), everyMs);
  return () => clearInterval(timer);
}
