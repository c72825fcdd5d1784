// Plays audio through Web Audio while it arrives.
//
// The context runs at the voice's own sample rate, so that pieces are resampled, if at all, as one signal and meet
// without a click. Pieces are scheduled to the sample, a few seconds ahead.

const AHEAD = 4; // seconds that are scheduled ahead; a hidden page's timers may come once a second only
const PIECE = 1; // seconds of one piece
const LEAD = 0.03; // seconds between scheduling and sounding
const RESERVE = 0.6; // seconds that must be there before playing goes on after the audio ran out
const TICK = 200; // ms
const START = 1000; // ms that a context may take to run before the browser is said to hold it back

export class Player extends EventTarget {
  #context = null;
  #gain = null;
  #pcm = null;
  #complete = false;
  #sources = new Set();
  #origin = 0; // context time at which sample #base sounds
  #base = 0;
  #next = 0; // the next sample to schedule
  #starved = true;
  #wanted = false; // whether the user wants to hear something
  #timer = 0;
  #firstSound = null;
  #asked = 0; // when the context was to run, in ms

  // Must be called by a user's gesture: browsers let no other sound out.
  prepare(sampleRate) {
    if (this.#context?.sampleRate !== sampleRate) {
      this.#context?.close();
      this.#context = new AudioContext({ sampleRate, latencyHint: "interactive" });
      this.#context.addEventListener("statechange", () => {
        this.#tellFirstSound();
        this.#changed();
      });
      this.#gain = new GainNode(this.#context);
      this.#gain.connect(this.#context.destination);
    }
    if (this.#context.state === "running") return;
    this.#asked = performance.now();
    this.#context.resume();
  }

  // A new answer. `onFirstSound` is told, once, the milliseconds of performance.now() at which its first sample sounds.
  open(pcm, onFirstSound = () => {}) {
    this.close();
    this.prepare(pcm.sampleRate);
    this.#pcm = pcm;
    this.#complete = false;
    this.#firstSound = onFirstSound;
    this.#wanted = true;
    this.#jump(0);
    this.#changed();
  }

  // More samples are there.
  grown() {
    this.#pump();
  }

  // All samples are there.
  finish() {
    this.#complete = true;
    this.#pump();
  }

  play() {
    if (!this.#pcm) return;
    this.prepare(this.#pcm.sampleRate);
    if (this.ended) this.#jump(0);
    this.#wanted = true;
    this.#pump();
    this.#changed();
  }

  pause() {
    this.#wanted = false;
    // Time stands still in a suspended context, and all that is scheduled stays.
    this.#context?.suspend();
    this.#changed();
  }

  seek(seconds) {
    if (!this.#pcm) return;
    const sample = Math.round(seconds * this.#pcm.sampleRate);
    this.#jump(Math.min(Math.max(sample, 0), this.#pcm.length));
    this.#pump();
    this.#changed();
  }

  close() {
    this.#silence();
    this.#pcm = null;
    this.#wanted = false;
    this.#changed();
  }

  // Seconds of the audio that have sounded.
  get position() {
    if (!this.#pcm) return 0;
    const heard = this.#context.currentTime - (this.#context.outputLatency || 0) - this.#origin;
    const sample = this.#base + Math.max(heard, 0) * this.#pcm.sampleRate;
    return Math.min(sample, this.#next) / this.#pcm.sampleRate;
  }

  get ended() {
    return this.#complete && this.#pcm !== null && this.position * this.#pcm.sampleRate >= this.#pcm.length - 0.5;
  }

  // `idle`, `waiting` for audio, `playing`, `paused`, `blocked` until the user presses something, or `ended`.
  get state() {
    if (!this.#pcm) return "idle";
    if (this.ended) return "ended";
    if (!this.#wanted) return "paused";
    if (this.#context.state === "running") return this.#starved ? "waiting" : "playing";
    return performance.now() - this.#asked > START ? "blocked" : "waiting";
  }

  #jump(sample) {
    this.#silence();
    this.#base = sample;
    this.#next = sample;
    this.#origin = this.#context.currentTime;
    this.#starved = true;
    this.#timer = setInterval(() => this.#pump(), TICK);
  }

  #silence() {
    clearInterval(this.#timer);
    for (const source of this.#sources) source.stop();
    this.#sources.clear();
  }

  #pump() {
    if (!this.#pcm || !this.#wanted) return;
    const { sampleRate, length } = this.#pcm;
    const now = this.#context.currentTime;
    if (!this.#starved && this.#timeOf(this.#next) < now) this.#starved = this.#next < length || !this.#complete;
    if (this.#starved && this.#ready()) {
      this.#base = this.#next;
      this.#origin = now + LEAD;
      this.#starved = false;
      this.#tellFirstSound();
    }
    while (!this.#starved && this.#next < length && this.#timeOf(this.#next) < now + AHEAD) {
      this.#schedule(Math.min(length - this.#next, PIECE * sampleRate));
    }
    if (this.ended) {
      clearInterval(this.#timer);
      this.#context.suspend(); // which gives the sound device back
    }
    this.#changed();
  }

  // The first audio is played at once; after a gap a reserve keeps the next one away.
  #ready() {
    const waiting = this.#pcm.length - this.#next;
    return waiting > 0 && (this.#complete || this.#base === this.#next || waiting >= RESERVE * this.#pcm.sampleRate);
  }

  #schedule(count) {
    const buffer = new AudioBuffer({ length: count, sampleRate: this.#pcm.sampleRate });
    buffer.copyToChannel(this.#pcm.read(this.#next, count), 0);
    const source = new AudioBufferSourceNode(this.#context, { buffer });
    source.connect(this.#gain);
    source.addEventListener("ended", () => {
      this.#sources.delete(source);
      if (this.ended) this.#changed();
    });
    source.start(this.#timeOf(this.#next));
    this.#sources.add(source);
    this.#next += count;
  }

  #timeOf(sample) {
    return this.#origin + (sample - this.#base) / this.#pcm.sampleRate;
  }

  #tellFirstSound() {
    if (!this.#firstSound || this.#starved || this.#context.state !== "running") return;
    this.#firstSound(performance.now() + 1000 * (this.#origin - this.#context.currentTime));
    this.#firstSound = null;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
