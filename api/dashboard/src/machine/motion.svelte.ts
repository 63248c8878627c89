// Movement at a rate that follows a measured value. The browser's animation clock runs it, so it costs no script per
// frame, and a new rate does not make it jump.
import type { Attachment } from "svelte/attachments";

const still = matchMedia("(prefers-reduced-motion: reduce)");

/** What the compositor moves by itself; all else would be laid out and painted in each frame. */
export interface Frame {
  transform?: string;
  opacity?: number;
  offset?: number;
  easing?: string;
}

/** `rate` 1 plays `frames` once a second; 0 stands still, and so does everything where people ask for less motion. */
export function moving(frames: Frame[], rate: () => number): Attachment<Element> {
  return (element) => {
    const animation = element.animate(frames as Keyframe[], { duration: 1000, iterations: Infinity });
    animation.pause();
    const follow = (): void => {
      const wanted = still.matches ? 0 : rate();
      if (wanted <= 0) return animation.pause();
      animation.updatePlaybackRate(wanted);
      if (animation.playState !== "running") animation.play();
    };
    $effect(follow);
    still.addEventListener("change", follow);
    return () => {
      still.removeEventListener("change", follow);
      animation.cancel();
    };
  };
}

export const TURN: Frame[] = [{ transform: "rotate(0deg)" }, { transform: "rotate(360deg)" }];
