// The mel spectrogram as a picture, a column for each frame. Only what is shown is kept: audio may last for hours.

import { colour, drawHead, sharp } from "./canvas.js";
import { BANDS, Mel } from "./mel.js";

const QUIET = -90; // dB: the first colour
const LOUD = -15; // dB: the last one
const COLOURS = 256;
const BUDGET = 8; // ms of work for one picture

export class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas;
    this.open(null);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      this.palette = null;
    });
  }

  open(pcm) {
    this.pcm = pcm;
    this.mel = pcm && new Mel(pcm.sampleRate);
    this.drawn = ""; // what the sheet shows
    this.first = 0; // the first frame that is shown
    this.levels = []; // for each frame from there its bands, as indices of the palette
  }

  // Gives whether all that is there was drawn: frames are counted a few at a time, so that the page stays quick. Of audio
  // that is `complete` there are frames up to its end.
  draw(view, position, complete) {
    const context = sharp(this.canvas);
    const { width, height } = this.canvas;
    context.clearRect(0, 0, width, height);
    if (!this.pcm) return true;
    const { period } = this.mel;
    const caughtUp = this.#grow(Math.floor(view.start / period), Math.ceil(view.length / period), complete);
    if (this.levels.length > 0) {
      const x = ((this.first * period - view.start) / view.length) * width;
      const span = ((this.levels.length * period) / view.length) * width;
      context.drawImage(this.#picture(), x, 0, span, height);
    }
    drawHead(context, view, position);
    return caughtUp;
  }

  #picture() {
    const columns = this.levels.length;
    const name = `${this.first} ${columns}`;
    if (this.palette && this.drawn === name) return this.sheet;
    this.drawn = name;
    this.palette ??= palette();
    const image = new ImageData(columns, BANDS);
    const pixels = new Uint32Array(image.data.buffer);
    for (let x = 0; x < columns; x++) {
      const levels = this.levels[x];
      for (let band = 0; band < BANDS; band++) pixels[(BANDS - 1 - band) * columns + x] = this.palette[levels[band]];
    }
    this.sheet ??= new OffscreenCanvas(1, BANDS);
    Object.assign(this.sheet, { width: columns, height: BANDS });
    this.sheet.getContext("2d").putImageData(image, 0, 0);
    return this.sheet;
  }

  #grow(first, shown, complete) {
    if (first !== this.first) [this.first, this.levels] = [first, []];
    const end = performance.now() + BUDGET;
    const wanted = Math.min(this.mel.frames(this.pcm.length, complete) - first, shown);
    const read = (start, count) => this.pcm.read(start, count);
    while (this.levels.length < wanted && performance.now() < end) {
      const frame = this.mel.frame(first + this.levels.length, read);
      const scaled = frame.map((level) => ((level - QUIET) / (LOUD - QUIET)) * (COLOURS - 1));
      this.levels.push(Uint8ClampedArray.from(scaled));
    }
    return this.levels.length >= wanted;
  }
}

// The theme's five colours and what lies between them, as pixels.
function palette() {
  const sheet = new OffscreenCanvas(COLOURS, 1).getContext("2d");
  const ramp = sheet.createLinearGradient(0, 0, COLOURS, 0);
  for (let i = 0; i < 5; i++) ramp.addColorStop(i / 4, colour(`--mel-${i}`));
  sheet.fillStyle = ramp;
  sheet.fillRect(0, 0, COLOURS, 1);
  return new Uint32Array(sheet.getImageData(0, 0, COLOURS, 1).data.buffer);
}
