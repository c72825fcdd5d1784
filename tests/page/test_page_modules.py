"""The page's modules that need no browser, by Node's own test runner and against numpy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from programs import needed

ROOT = Path(__file__).resolve().parents[2]
MODULES = Path(__file__).parent / "modules"
BANDS = 80
FLOOR = -100.0


@pytest.fixture(scope="module")
def node():
    """Node's path; the tests in the browser cover the same modules where there is none."""
    return needed("node")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A copy of the page that says, as its address does in a browser, that it is made of modules."""
    folder = tmp_path_factory.mktemp("node") / "page"
    shutil.copytree(ROOT / "server" / "gateway" / "page", folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def test_data(node, page):
    run(node, page, "data.test.mjs")


def test_mel(node, page, tmp_path):
    random = np.random.default_rng(1)
    expected = {
        "transforms": [transform(random, size) for size in (1, 2, 8, 1024)],
        "banks": [
            {"rate": rate, "size": size, "weights": bank(rate, size).tolist()}
            for rate, size in ((24000, 1024), (16000, 512), (22050, 1024))
        ],
        "spectra": [spectrum(random, rate) for rate in (24000, 16000, 22050)],
    }
    file = tmp_path / "expected.json"
    file.write_text(json.dumps(expected))
    run(node, page, "mel.test.mjs", EXPECTED=str(file))


def run(node, page, name, **variables):
    """The tests of one file; what they say is told when one of them fails."""
    environment = {**os.environ, "PAGE": str(page), **variables}
    done = subprocess.run(
        [node, "--test", str(MODULES / name)], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def transform(random, size):
    """Numbers and their transform."""
    values = random.standard_normal(size) + 1j * random.standard_normal(size)
    found = np.fft.fft(values)
    return {
        "real": values.real.tolist(),
        "imaginary": values.imag.tolist(),
        "transformed": {"real": found.real.tolist(), "imaginary": found.imag.tolist()},
    }


def bank(rate, size):
    """Triangles that are evenly spaced in mel from 0 Hz to half the rate, [bands, bins]."""
    mels = np.linspace(0, 2595 * np.log10(1 + rate / 2 / 700), BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1) * size / rate
    bins = np.arange(size // 2 + 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    weights = np.clip(np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre)), 0, None)
    for band in np.flatnonzero(weights.sum(axis=1) == 0):
        weights[band, round(edges[band + 1])] = 1
    return weights


def spectrum(random, rate):
    """A tone in noise, and the levels of its bands in dB for every 10 ms."""
    samples = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate // 10) / rate) + 0.01 * random.standard_normal(rate // 10)
    hop, width = int(rate / 100 + 0.5), int(rate / 40 + 0.5)
    size = 2 ** int(np.ceil(np.log2(width)))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(width) / width)
    padded = np.pad(samples.astype(np.float32), (width // 2, width))
    starts = range(0, len(samples), hop)
    frames = np.stack([padded[start : start + width] * window for start in starts])
    power = np.abs(np.fft.rfft(frames, size) * 2 / window.sum()) ** 2
    levels = np.maximum(FLOOR, 10 * np.log10(power @ bank(rate, size).T + 1e-12))
    return {"rate": rate, "samples": samples.tolist(), "levels": levels.tolist()}
