// One request and what has come of it: the audio, the times, the notices, the figures.

import { Pcm, samplesOf } from "./pcm.js";
import { speak } from "./stream.js";

export class Answer {
  #aborter = new AbortController();

  constructor(request) {
    this.request = request;
    this.pcm = null; // there is none before the first audio
    this.done = null; // the last line
    this.begun = performance.now();
    this.elapsed = null; // seconds to the last of the audio
  }

  // Seconds of work for each second of audio.
  get factor() {
    return this.elapsed / this.pcm.seconds;
  }

  // Receives the answer: `on.open(pcm)` at the first audio, `on.event(event)` for each line.
  async receive(on) {
    for await (const event of speak(this.request, this.#aborter.signal)) {
      if (event.type === "audio") this.#take(event, on);
      else this.done = event;
      this.elapsed = (performance.now() - this.begun) / 1000;
      on.event(event);
    }
  }

  // The server stops working for it.
  stop() {
    this.#aborter.abort();
  }

  get stopped() {
    return this.#aborter.signal.aborted;
  }

  #take(event, on) {
    const samples = samplesOf(event.audio);
    if (samples.length === 0) return;
    if (this.pcm === null) {
      this.pcm = new Pcm(event.sample_rate);
      on.open(this.pcm);
    }
    this.pcm.push(samples);
  }
}
