// The waveform: the lowest and the highest sample of every few milliseconds, kept as the audio grows.

import { colour, drawHead, sharp } from "./canvas.js";

const STEP = 0.005; // seconds, to the nearest sample
const QUIET = 0.1; // of full scale: audio with a lower peak is not drawn as if it were loud

export class Waveform {
  constructor(canvas) {
    this.canvas = canvas;
    this.open(null);
  }

  open(pcm) {
    this.pcm = pcm;
    this.step = pcm ? Math.round(pcm.sampleRate * STEP) : 0; // samples
    this.lows = [];
    this.highs = [];
    this.peak = 0;
  }

  draw(view, position) {
    this.#grow();
    const context = sharp(this.canvas);
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    const [said, ahead] = [colour("--wave-said"), colour("--wave")];
    const bar = Math.max(2, Math.round(2 * (window.devicePixelRatio || 1)));
    const scale = 0.46 / Math.max(this.peak, QUIET);
    for (let x = 0; x < width; x += 1.5 * bar) {
      const time = view.start + (x / width) * view.length;
      const [low, high] = this.#range(time, time + ((1.5 * bar) / width) * view.length);
      const top = height * (0.5 - scale * high);
      const size = Math.max(height * scale * (high - low), bar / 2);
      context.fillStyle = time < position ? said : ahead;
      if (high >= low) context.fillRect(x, top, bar, size);
    }
    if (this.pcm) drawHead(context, view, position);
  }

  #range(from, to) {
    let [low, high] = [Infinity, -Infinity];
    const steps = this.pcm ? this.pcm.sampleRate / this.step : 0; // a second
    const first = Math.max(0, Math.floor(from * steps));
    const last = Math.min(Math.max(Math.ceil(to * steps), first + 1), this.lows.length);
    for (let i = first; i < last; i++) {
      low = Math.min(low, this.lows[i]);
      high = Math.max(high, this.highs[i]);
    }
    return [low, high];
  }

  #grow() {
    if (!this.pcm) return;
    const { step } = this;
    while ((this.lows.length + 1) * step <= this.pcm.length) {
      let [low, high] = [0, 0];
      for (const sample of this.pcm.read(this.lows.length * step, step)) {
        low = Math.min(low, sample);
        high = Math.max(high, sample);
      }
      this.lows.push(low);
      this.highs.push(high);
      this.peak = Math.max(this.peak, high, -low);
    }
  }
}
