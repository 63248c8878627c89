// A touch is answered first: what takes longer than a frame begins once its answer has been painted.

/** Call `act` when all that has changed until now has been painted; at once where nothing is painted. */
export function oncePainted(act: () => void): void {
  if (document.hidden) act();
  else requestAnimationFrame(() => setTimeout(act));
}
