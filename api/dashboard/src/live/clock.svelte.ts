// A second hand for everything that shows an age.
import { serverNow } from "../http";

class Clock {
  now = $state(serverNow());

  constructor() {
    setInterval(() => (this.now = serverNow()), 1000);
  }
}

export const clock = new Clock();
