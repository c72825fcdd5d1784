// A mel spectrogram that grows with the audio: frames of 10 ms, 80 bands from 0 Hz to half the sample rate.

export const BANDS = 80;
const HOP = 0.01; // seconds, to the nearest sample
const WINDOW = 0.025; // seconds
const FLOOR = -100; // dB; the quietest level that is told from silence

// The discrete Fourier transform of `real` + i `imaginary`, in place; their length is a power of two.
export class Fft {
  constructor(size) {
    this.size = size;
    this.cos = Float64Array.from({ length: size / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / size));
    this.sin = Float64Array.from({ length: size / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / size));
    const bits = Math.log2(size);
    this.reversed = Uint32Array.from({ length: size }, (_, i) => {
      let mirrored = 0;
      for (let bit = 0; bit < bits; bit++) mirrored |= ((i >> bit) & 1) << (bits - 1 - bit);
      return mirrored;
    });
  }

  transform(real, imaginary) {
    for (let i = 0; i < this.size; i++) {
      const j = this.reversed[i];
      if (j > i) {
        swap(real, i, j);
        swap(imaginary, i, j);
      }
    }
    for (let half = 1; half < this.size; half *= 2) {
      const step = this.size / (2 * half);
      for (let start = 0; start < this.size; start += 2 * half) {
        for (let k = 0; k < half; k++) {
          const c = this.cos[k * step];
          const s = this.sin[k * step];
          const even = start + k;
          const odd = even + half;
          const oddReal = real[odd] * c + imaginary[odd] * s;
          const oddImaginary = imaginary[odd] * c - real[odd] * s;
          real[odd] = real[even] - oddReal;
          imaginary[odd] = imaginary[even] - oddImaginary;
          real[even] += oddReal;
          imaginary[even] += oddImaginary;
        }
      }
    }
  }
}

function swap(values, i, j) {
  const value = values[i];
  values[i] = values[j];
  values[j] = value;
}

export const melOf = (hertz) => 2595 * Math.log10(1 + hertz / 700);
export const hertzOf = (mel) => 700 * (10 ** (mel / 2595) - 1);

// For each band its first bin and its weights: triangles whose feet are the neighbours' tops, evenly spaced in mel.
export function filterbank(sampleRate, size, bands = BANDS) {
  const top = melOf(sampleRate / 2);
  const edges = Array.from({ length: bands + 2 }, (_, i) => (hertzOf((top * i) / (bands + 1)) * size) / sampleRate);
  return Array.from({ length: bands }, (_, band) => {
    const [low, centre, high] = edges.slice(band, band + 3);
    const first = Math.floor(low) + 1;
    const weights = [];
    for (let bin = first; bin < high; bin++) {
      weights.push(bin <= centre ? (bin - low) / (centre - low) : (high - bin) / (high - centre));
    }
    // The lowest triangles may lie between two bins: the nearest one speaks for them.
    return weights.length > 0 ? { first, weights } : { first: Math.round(centre), weights: [1] };
  });
}

export class Mel {
  constructor(sampleRate) {
    this.hop = Math.round(sampleRate * HOP);
    this.period = this.hop / sampleRate; // seconds
    this.width = Math.round(sampleRate * WINDOW);
    const size = 2 ** Math.ceil(Math.log2(this.width));
    this.fft = new Fft(size);
    this.bank = filterbank(sampleRate, size);
    this.window = Float64Array.from({ length: this.width }, (_, i) => {
      return 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / this.width);
    });
    // A full-scale sine is 0 dB at its bin.
    this.scale = 2 / this.window.reduce((sum, value) => sum + value, 0);
    this.real = new Float64Array(size);
    this.imaginary = new Float64Array(size);
  }

  // How many frames have all their samples when there are so many; a frame's window is centred on its time.
  frames(samples, complete = false) {
    if (complete) return Math.ceil(samples / this.hop);
    return Math.max(0, Math.floor((samples - this.width / 2) / this.hop) + 1);
  }

  // The levels of one frame in dB of full scale. `read(start, count)` gives samples as floats.
  frame(index, read) {
    const samples = read(index * this.hop - (this.width >> 1), this.width);
    this.real.fill(0);
    this.imaginary.fill(0);
    for (let i = 0; i < this.width; i++) this.real[i] = samples[i] * this.window[i];
    this.fft.transform(this.real, this.imaginary);
    return Float64Array.from(this.bank, ({ first, weights }) => {
      let energy = 0;
      for (let i = 0; i < weights.length; i++) {
        energy += weights[i] * (this.real[first + i] ** 2 + this.imaginary[first + i] ** 2);
      }
      return Math.max(FLOOR, 10 * Math.log10(energy * this.scale ** 2 + 1e-12));
    });
  }
}
