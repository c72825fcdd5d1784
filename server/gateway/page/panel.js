// The player's part of the page: what moves with the audio, and what an answer came to.

import { view } from "./canvas.js";
import { Captions } from "./captions.js";
import { known, label, number, onLanguage, t } from "./i18n.js";
import { Spectrogram } from "./spectrogram.js";
import { Waveform } from "./waveform.js";

const CALM = matchMedia("(prefers-reduced-motion: reduce)");
const NARROW = matchMedia("(max-width: 40rem)");
const CALM_PERIOD = 250; // ms between two pictures for those who want less motion

export class Panel {
  #picture = 0;

  constructor(root, session) {
    this.root = root;
    this.session = session;
    this.player = session.player;
    this.waveform = new Waveform(this.#at("waveform"));
    this.spectrogram = new Spectrogram(this.#at("mel"));
    this.captions = new Captions(this.#at("captions"), (seconds) => {
      this.player.seek(seconds);
      this.player.play();
    });
    this.#listen();
    onLanguage(() => this.#write());
  }

  #at(id) {
    return this.root.querySelector(`#${id}`);
  }

  get #pcm() {
    return this.session.answer?.pcm ?? null;
  }

  #listen() {
    this.session.addEventListener("start", () => this.#clear());
    this.session.addEventListener("open", () => this.#open());
    this.session.addEventListener("event", ({ detail }) => this.#take(detail));
    this.session.addEventListener("change", () => {
      this.#show();
      this.#animate();
    });
    this.#at("play").addEventListener("click", () => this.#moving ? this.player.pause() : this.player.play());
    this.#at("seek").addEventListener("input", () => {
      this.player.seek(this.#at("seek").valueAsNumber);
      this.#draw();
    });
    for (const id of ["waveform", "mel"]) this.#at(id).addEventListener("click", (event) => this.#seekTo(event));
    new ResizeObserver(() => this.#draw()).observe(this.root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  get #moving() {
    return ["playing", "waiting"].includes(this.player.state);
  }

  #clear() {
    this.waveform.open(null);
    this.spectrogram.open(null);
    this.captions.clear();
    this.#at("notices").replaceChildren();
    this.#at("notices-box").hidden = true;
  }

  #open() {
    this.waveform.open(this.#pcm);
    this.spectrogram.open(this.#pcm);
    this.#write();
    // On a phone the player is below what was pressed, and out of sight.
    if (NARROW.matches) this.root.scrollIntoView({ block: "nearest", behavior: CALM.matches ? "instant" : "smooth" });
  }

  #take({ clauses = [], notices = [] }) {
    this.captions.add(clauses);
    for (const { kind, message } of notices) {
      const line = document.createElement("li");
      const name = document.createElement("strong");
      name.dataset.kind = kind;
      name.textContent = known("notice", kind);
      line.append(name, ` ${message}`);
      this.#at("notices").append(line);
      this.#at("notices-box").hidden = false;
    }
  }

  // What does not move.
  #show() {
    const { answer, firstSound } = this.session;
    this.root.dataset.state = this.player.state;
    this.#at("blocked").hidden = this.player.state !== "blocked";
    label(this.#at("play"), this.#moving ? "pause" : "play");
    this.#at("first").textContent = firstSound === null ? "–" : t("milliseconds", { n: number(firstSound, 0) });
    this.#at("factor").textContent = this.#pcm ? number(answer.factor, 2) : "–";
    this.#at("length").textContent = this.#pcm ? t("seconds", { n: number(this.#pcm.seconds, 1) }) : "–";
    const { voice, quality } = answer?.done ?? {};
    this.#at("answered").textContent = [voice, quality && t(`quality.${quality}`)].filter(Boolean).join(" · ") || "–";
  }

  // What moves. Gives whether it is complete.
  #draw() {
    const duration = this.#pcm?.seconds ?? 0;
    const position = this.player.position;
    const shown = view(duration, position);
    this.waveform.draw(shown, position);
    const complete = this.spectrogram.draw(shown, position, !this.session.busy);
    this.captions.light(this.player.state === "idle" ? -1 : position);
    const seek = this.#at("seek");
    Object.assign(seek, { max: duration, value: position });
    seek.style.setProperty("--filled", `${duration ? (100 * position) / duration : 0}%`);
    seek.setAttribute("aria-valuetext", t("seconds", { n: number(position, 1) }));
    this.#at("time").textContent = `${clock(position)} / ${clock(duration)}`;
    return complete;
  }

  #animate() {
    if (this.#picture) return;
    const step = () => {
      this.#picture = 0;
      const complete = this.#draw();
      if (this.#moving || !complete) this.#animate();
    };
    this.#picture = CALM.matches ? setTimeout(step, CALM_PERIOD) : requestAnimationFrame(step);
  }

  #write() {
    this.#show();
    this.#draw();
    const range = this.#pcm ? t("mel.range", { n: number(this.#pcm.sampleRate / 2000, 0) }) : "";
    this.#at("mel-range").textContent = range;
    for (const name of this.root.querySelectorAll("#notices strong")) {
      name.textContent = known("notice", name.dataset.kind);
    }
  }

  // A click on a picture of the audio goes there.
  #seekTo(event) {
    const { start, length } = view(this.#pcm?.seconds ?? 0, this.player.position);
    this.player.seek(start + (event.offsetX / event.target.clientWidth) * length);
    this.#draw();
  }
}

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
