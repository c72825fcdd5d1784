// Files for the user: WAV from what was received, SRT from its last line, MP3 from the gateway.

const HEADER = 44;

// The bytes before `size` bytes of int16 mono samples.
export function wavHeader(sampleRate, size) {
  const view = new DataView(new ArrayBuffer(HEADER));
  const word = (at, text) => [...text].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  word(0, "RIFF");
  view.setUint32(4, HEADER - 8 + size, true);
  word(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, sampleRate, true);
  view.setUint32(28, 2 * sampleRate, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, size, true);
  return view.buffer;
}

export function wav(pcm) {
  return new Blob([wavHeader(pcm.sampleRate, 2 * pcm.length), ...pcm.chunks], { type: "audio/wav" });
}

// A file's name from how the text begins.
export function fileName(text, ending) {
  const start = [...text.replace(/[^\p{L}\p{N}]+/gu, " ").trim()].slice(0, 20).join("").trim();
  return `${start || "speech"}.${ending}`;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  // The browser has begun to read it by then.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
