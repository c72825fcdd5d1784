// The figures to compare with are numpy's, in the file that EXPECTED names.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

const { Fft, Mel, filterbank, hertzOf, melOf } = await import(`${process.env.PAGE}/mel.js`);
const expected = JSON.parse(readFileSync(process.env.EXPECTED, "utf8"));

function near(actual, wanted, tolerance) {
  assert.equal(actual.length, wanted.length);
  wanted.forEach((value, i) => assert.ok(Math.abs(actual[i] - value) <= tolerance, `${i}: ${actual[i]} and ${value}`));
}

for (const { real, imaginary, transformed } of expected.transforms) {
  test(`a transform of ${real.length} points is numpy's`, () => {
    const [re, im] = [Float64Array.from(real), Float64Array.from(imaginary)];
    new Fft(real.length).transform(re, im);
    near(re, transformed.real, 1e-9);
    near(im, transformed.imaginary, 1e-9);
  });
}

for (const { rate, size, weights } of expected.banks) {
  test(`the bands of ${rate} Hz are numpy's`, () => {
    const bank = filterbank(rate, size);
    assert.equal(bank.length, weights.length);
    bank.forEach((band, i) => {
      const row = new Float64Array(size / 2 + 1);
      band.weights.forEach((weight, k) => (row[band.first + k] = weight));
      near(row, weights[i], 1e-9);
    });
  });
}

for (const { rate, samples, levels } of expected.spectra) {
  test(`a spectrogram at ${rate} Hz is numpy's`, () => {
    const mel = new Mel(rate);
    const read = (start, count) => Float32Array.from({ length: count }, (_, i) => samples[start + i] ?? 0);
    assert.equal(mel.frames(samples.length, true), levels.length);
    levels.forEach((frame, i) => near(mel.frame(i, read), frame, 1e-3));
  });
}

test("a frame is there once all of its samples are", () => {
  const mel = new Mel(24000);
  assert.equal(mel.frames(0), 0);
  assert.equal(mel.frames(299), 0);
  assert.equal(mel.frames(300), 1);
  assert.equal(mel.frames(539), 1);
  assert.equal(mel.frames(540), 2);
  assert.equal(mel.frames(541, true), 3);
});

test("mel and hertz are each other's inverse", () => {
  for (const hertz of [0, 100, 1000, 12000]) assert.ok(Math.abs(hertzOf(melOf(hertz)) - hertz) < 1e-6);
});
