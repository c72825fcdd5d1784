"""Compares a FastSpeech2 chain with what the original TFLite files compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from export.bundle import Arrays
from export.errors import CheckpointError
from export.inference import in_double, run_onnx
from export.verify import Chain, Row, both, compare, read_reference

NAMES = {"ids", "durations", "f0", "energy", "mel", "wav"}


def verify_fastspeech2(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check a chain against `ids [T]`, `durations f0 energy [1,T]`, `mel [1,M,80]` and `wav [1,300M,1]`."""
    expected = read_reference(reference)
    if missing := NAMES - set(expected):
        raise CheckpointError(f"{reference} lacks {', '.join(sorted(missing))}: not a fastspeech2 reference")
    # The style stage is this project's own: there is nothing to compare it with.
    by_role = {stage.spec.role: (stage, path) for stage, path in chain}
    (encoder, encoder_path), (decoder, decoder_path) = by_role["encoder"], by_role["decoder"]
    vocoder, vocoder_path = by_role["melgan"]
    wav = expected["wav"][..., 0]

    encoded = both(encoder, encoder_path, _units(expected))
    rounded = (np.round(encoded[0]["durations"]), np.round(encoded[1]["durations"]))
    rows = [compare("encoder", "durations", rounded, expected["durations"], tolerance)]
    for array in ("f0", "energy"):
        pair = (encoded[0][f"{array}_contour"], encoded[1][f"{array}_contour"])
        rows.append(compare("encoder", array, pair, expected[array], tolerance))

    # The references do not hold the hidden states; the module's in float64 stand in for them.
    frames = _frames(expected)
    mel = both(decoder, decoder_path, {"hidden": encoded[0]["hidden"].astype(np.float32)} | frames)
    rows.append(compare("decoder", "mel", (mel[0]["mel"], mel[1]["mel"]), expected["mel"], tolerance))
    audio = both(vocoder, vocoder_path, {"mel": expected["mel"]})
    rows.append(compare(vocoder.spec.role, "wav", (audio[0]["audio"], audio[1]["audio"]), wav, tolerance))

    chained = (
        in_double(vocoder, {"mel": mel[0]["mel"].astype(np.float32)})["audio"],
        run_onnx(vocoder_path, run_onnx(decoder_path, {"hidden": encoded[1]["hidden"]} | frames))["audio"],
    )
    return [*rows, compare("end_to_end", "wav", chained, wav, end_to_end)]


def _units(expected: Arrays) -> Arrays:
    ids = expected["ids"].astype(np.int32)[None, :, None]
    return {
        "units": ids,
        "unit_lengths": np.array([[ids.shape[1]]], dtype=np.int32),
        "pitch": np.zeros((1, 1), dtype=np.float32),
        "contour": np.ones((1, 1), dtype=np.float32),
    }


def _frames(expected: Arrays) -> Arrays:
    durations = expected["durations"][0].astype(np.int64)
    alignment = np.repeat(np.arange(durations.size, dtype=np.int32), durations)[None]
    return {"alignment": alignment, "frame_lengths": np.array([[alignment.shape[1]]], dtype=np.int32)}
