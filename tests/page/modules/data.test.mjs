import assert from "node:assert/strict";
import test from "node:test";

const page = process.env.PAGE;
globalThis.sessionStorage = { getItem: () => null };
const { Lines } = await import(`${page}/stream.js`);
const { Pcm, samplesOf } = await import(`${page}/pcm.js`);
const { fileName, wavHeader } = await import(`${page}/download.js`);
const { pieces, wordAt } = await import(`${page}/captions.js`);
const { view } = await import(`${page}/canvas.js`);
const { TEXTS } = await import(`${page}/texts.js`);

test("lines come whole however they are cut", () => {
  const text = '{"a":1}\n{"b":"好"}\n\n{"c":3}';
  for (let size = 1; size <= text.length; size++) {
    const lines = new Lines();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...lines.push(text.slice(at, at + size)));
    found.push(...lines.end());
    assert.deepEqual(found.map((line) => JSON.parse(line)), [{ a: 1 }, { b: "好" }, { c: 3 }]);
    assert.deepEqual(lines.end(), []);
  }
});

test("samples are read across pieces, with silence around them", () => {
  const pcm = new Pcm(8000);
  for (const chunk of [[1, 2, 3], [], [4], [5, 6]]) pcm.push(Int16Array.from(chunk));
  assert.equal(pcm.length, 6);
  assert.equal(pcm.seconds, 6 / 8000);
  for (let start = -2; start <= 7; start++) {
    for (let count = 0; count <= 9; count++) {
      const wanted = Array.from({ length: count }, (_, i) => (start + i >= 0 && start + i < 6 ? start + i + 1 : 0));
      assert.deepEqual(Array.from(pcm.read(start, count), (value) => value * 32768), wanted);
    }
  }
});

test("base64 is little-endian samples", () => {
  assert.deepEqual([...samplesOf(Buffer.from([1, 0, 0xff, 0xff, 0, 0x80]).toString("base64"))], [1, -1, -32768]);
});

test("a WAV header says what follows", () => {
  const bytes = Buffer.from(wavHeader(24000, 1000));
  assert.equal(bytes.length, 44);
  assert.equal(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16), "RIFFWAVEfmt ");
  assert.equal(bytes.readUInt32LE(4), 1036);
  assert.deepEqual([20, 22, 32, 34].map((at) => bytes.readUInt16LE(at)), [1, 1, 2, 16]);
  assert.deepEqual([16, 24, 28, 40].map((at) => bytes.readUInt32LE(at)), [16, 24000, 48000, 1000]);
  assert.equal(bytes.toString("latin1", 36, 40), "data");
});

test("a file's name is the text's beginning, and nothing that a disk dislikes", () => {
  assert.equal(fileName("今天，天气真好！", "wav"), "今天 天气真好.wav");
  assert.equal(fileName("../../etc/passwd", "srt"), "etc passwd.srt");
  assert.equal(fileName("？！…", "mp3"), "speech.mp3");
  assert.equal(fileName("好".repeat(99), "wav"), `${"好".repeat(20)}.wav`);
});

test("a clause is cut into its words, and nothing of it is lost", () => {
  const word = (text, start) => ({ text, start, end: start + 1 });
  const cut = (text, ...words) => pieces({ text, start: 0, end: 9, words }).map((piece) => [piece.text, piece.start]);
  assert.deepEqual(cut("今天，好。", word("今天", 0), word("好", 1)), [["今天，", 0], ["好。", 1]]);
  assert.deepEqual(cut("他说：“好。”", word("他", 0), word("说", 1), word("好", 2)), [["他", 0], ["说：", 1], ["“好。”", 2]]);
  assert.deepEqual(cut("“好”", word("好", 0)), [["“好”", 0]]);
  // What a number is spoken as does not occur in the text.
  assert.deepEqual(cut("有3个", word("有", 0), word("三", 1), word("个", 2)), [["有", 0], ["3", 1], ["个", 2]]);
  assert.deepEqual(cut("有3", word("有", 0), word("三", 1)), [["有", 0], ["3", 1]]);
  assert.deepEqual(cut("3", word("三", 1)), [["3", 1]]);
  assert.deepEqual(cut("没有词"), [["没有词", 0]]);
  assert.deepEqual(cut(""), []);
});

test("the word of a time is the last that has begun", () => {
  const words = [0.1, 0.5, 0.9].map((start) => ({ start }));
  assert.deepEqual([0, 0.1, 0.49, 0.5, 5].map((time) => wordAt(words, time)), [-1, 0, 0, 1, 2]);
  assert.equal(wordAt([], 1), -1);
});

test("a long audio is shown by pages of half a minute", () => {
  assert.deepEqual(view(0, 0), { start: 0, length: 2 });
  assert.deepEqual(view(12, 5), { start: 0, length: 12 });
  assert.deepEqual(view(100, 45), { start: 30, length: 30 });
  assert.deepEqual(view(60, 60), { start: 30, length: 30 });
  assert.deepEqual(view(100, 99), { start: 90, length: 30 });
});

test("both languages say the same things with the same values", () => {
  const values = (text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  assert.deepEqual(Object.keys(TEXTS.zh), Object.keys(TEXTS.en));
  for (const key of Object.keys(TEXTS.zh)) assert.deepEqual(values(TEXTS.zh[key]), values(TEXTS.en[key]), key);
});
