// The audio of one answer, as it was received: int16 samples, mono.

export class Pcm {
  constructor(sampleRate) {
    this.sampleRate = sampleRate;
    this.length = 0;
    this.chunks = [];
    this.starts = [];
  }

  get seconds() {
    return this.length / this.sampleRate;
  }

  push(samples) {
    if (samples.length === 0) return;
    this.starts.push(this.length);
    this.chunks.push(samples);
    this.length += samples.length;
  }

  // Samples start … start + count as floats in -1 … 1; what lies outside the audio is silence.
  read(start, count) {
    const floats = new Float32Array(count);
    const end = Math.min(start + count, this.length);
    let at = Math.max(start, 0);
    for (let index = this.#chunkAt(at); at < end; index++) {
      const chunk = this.chunks[index];
      const from = at - this.starts[index];
      const take = Math.min(chunk.length - from, end - at);
      for (let i = 0; i < take; i++) floats[at - start + i] = chunk[from + i] / 32768;
      at += take;
    }
    return floats;
  }

  // The chunk that holds a sample: the last one that starts at it or before.
  #chunkAt(sample) {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= sample) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

// Base64 of little-endian int16, which is the order of every machine that runs a browser.
export function samplesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Int16Array(bytes.buffer);
}
