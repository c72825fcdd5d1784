// The strip that says how the service is. It asks every few seconds while somebody can see it.

import { known, number, onLanguage, t } from "./i18n.js";
import { read } from "./service.js";

const PERIOD = 5000; // ms

export class Status {
  #health = undefined; // of the last answer; null when there was none
  #timer = 0;
  #turn = 0; // the last one counts, whichever is answered first

  // `onAnswer` is called whenever the service answers.
  constructor(strip, onAnswer) {
    this.strip = strip;
    this.onAnswer = onAnswer;
    onLanguage(() => this.#show());
    document.addEventListener("visibilitychange", () => this.#watch());
    this.#watch();
  }

  #watch() {
    clearTimeout(this.#timer);
    if (!document.hidden) this.#ask();
  }

  async #ask() {
    clearTimeout(this.#timer);
    const turn = ++this.#turn;
    let health = null;
    try {
      const answer = await read("health", AbortSignal.timeout(2 * PERIOD));
      if ("healthy" in answer) health = answer; // not a proxy's
    } catch {
      // It is away, which is what null says.
    }
    if (turn !== this.#turn) return;
    this.#health = health;
    if (health) this.onAnswer();
    this.#show();
    if (!document.hidden) this.#timer = setTimeout(() => this.#ask(), PERIOD);
  }

  #show() {
    const state = stateOf(this.#health);
    this.strip.dataset.state = state;
    this.#write("state", t(`state.${state}`));
    this.#write("queue", queue(this.#health?.queue));
    this.#write("memory", memory(this.#health?.memory));
    this.#write("degradation", step(this.#health?.degradation));
    const reason = state === "failing" ? (this.#health.message ?? "") : "";
    this.#write("reason", reason);
  }

  #write(name, text) {
    this.strip.querySelector(`#status-${name}`).textContent = text;
  }
}

function stateOf(health) {
  if (health === undefined) return "unknown";
  if (health === null) return "away";
  if (!health.healthy) return "failing";
  return health.degradation?.step > 0 ? "degraded" : "healthy";
}

function queue(value) {
  if (!value) return "–";
  const text = t("queue.value", { running: value.in_flight, waiting: value.waiting });
  if (!value.waiting || !value.oldest_wait) return text;
  return `${text} · ${t("queue.wait", { seconds: number(value.oldest_wait, 0) })}`;
}

function memory(value) {
  const parts = ["host", "gpu"].filter((where) => typeof value?.[where] === "number");
  const share = (where) => `${number(100 * value[where], 0)}%`;
  return parts.map((where) => t(`memory.${where}`, { share: share(where) })).join(" · ") || "–";
}

function step(value) {
  return value ? known("step", value.name) : "–";
}
