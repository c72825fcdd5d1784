"""Compares a Sambert voice with what KAN-TTS computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.families.sambert.details import detailed_stages, hertz_stage
from export.families.sambert.stages import HIFIGAN
from export.families.sambert.voice import load
from export.inference import run_onnx
from export.verify import Array, Chain, Row, both, compare, read_reference
from export.vocoders.kantts_verify import verification_stage, verify_generator

# Of a reference: what goes in, and what each stage gives, under which name of its outputs.
_FEATURES = ("ling", "emo", "spk")
_ENCODER = {"text_hid": "text_hid", "pitch": "f0_contour", "energy": "energy_contour", "log_dur": "log_dur"}
_DECODER = ("LR_text", "memory", "xbw", "dec", "post")
# Upstream's intensity of an emotion, in per cent.
_FULL = 100

Exported = tuple[Stage, Path]


def sambert_stages(checkpoint: Path) -> Sequence[Stage]:
    """What `verify_sambert` compares: the stages of a checkpoint's first voice, with more outputs and inputs."""
    voice = load(checkpoint)
    between = () if voice.f0 is None else (hertz_stage(voice.f0, voice.config),)
    acoustic = detailed_stages(voice.encoder, voice.decoder)
    return (*acoustic, *between, verification_stage(voice.generator, HIFIGAN))


def verify_sambert(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check the stages of `sambert_stages`, and all graphs after one another. Raises `CheckpointError`."""
    expected = read_reference(reference)
    encoder, decoder, *between, vocoder = chain
    rows = verify_acoustic(encoder, decoder, expected, tolerance)
    rows += verify_generator(*vocoder, expected, tolerance)
    encoded = run_onnx(encoder[1], _units(expected))
    mel = run_onnx(decoder[1], _frames(encoded, 0, expected, decoder[0]))["post"]
    fed = (expected["post"], mel)
    for stage, path in between:
        fed = (both(stage, path, {"mel": expected["post"]})[0]["voc_in"], run_onnx(path, {"mel": mel})["voc_in"])
    count = len(expected["voc_in"])
    module, graph = (values[0, :count] for values in fed)
    rows.append(compare("end_to_end", "voc_in", (module, graph), expected["voc_in"], end_to_end))
    chained = verify_generator(*vocoder, expected | {"voc_in": graph}, end_to_end)
    return [*rows, *(replace(row, stage="end_to_end") for row in chained if row.array == "wav")]


def verify_acoustic(encoder: Exported, decoder: Exported, expected: Arrays, tolerance: float) -> list[Row]:
    """Check `detailed_stages` and their graphs against every acoustic array of a reference.

    Each array is compared twice: alone, and in a batch between a longer and a shorter item of other contents. The
    references do not hold the hidden states; the module's in float64 stand in for them. Raises `CheckpointError` where
    the reference is of something else.
    """
    if missing := [name for name in (*_FEATURES, *_ENCODER, *_DECODER, "dur", "LR_len") if name not in expected]:
        raise CheckpointError(f"the reference lacks {', '.join(missing)}: not a sambert reference")
    alone = _units(expected)
    rows = []
    for units, item, suffix in ((alone, 0, ""), (_between(alone), 1, " in a batch")):
        encoded = both(*encoder, units)
        rows += _encoder_rows(encoded, item, expected, tolerance, suffix)
        decoded = both(*decoder, _frames(encoded[0], item, expected, decoder[0]))
        rows += _decoder_rows(decoded, item, expected, tolerance, suffix)
    return rows


def _encoder_rows(
    encoded: tuple[Arrays, Arrays], item: int, expected: Arrays, tolerance: float, suffix: str
) -> list[Row]:
    rows = [
        compare("encoder", name + suffix, _item(encoded, output, item, expected[name]), expected[name], tolerance)
        for name, output in _ENCODER.items()
    ]
    module, graph = (np.floor(side + 0.5) for side in _item(encoded, "durations", item, expected["dur"]))
    lengths = (module.sum(1), graph.sum(1))
    return [
        *rows,
        compare("encoder", "dur" + suffix, (module, graph), expected["dur"], tolerance),
        compare("encoder", "LR_len" + suffix, lengths, expected["LR_len"], tolerance),
    ]


def _decoder_rows(
    decoded: tuple[Arrays, Arrays], item: int, expected: Arrays, tolerance: float, suffix: str
) -> list[Row]:
    rows = []
    for name in _DECODER:
        target = expected[name].reshape(1, -1, *expected[name].shape[2:])
        rows.append(compare("decoder", name + suffix, _item(decoded, name, item, target), target, tolerance))
    return rows


def _item(pair: tuple[Arrays, Arrays], name: str, item: int, like: Array) -> tuple[Array, Array]:
    """One item of a batch, without its padding."""
    module, graph = (side[name][item : item + 1, : like.shape[1]] for side in pair)
    return module, graph


def _units(expected: Arrays) -> Arrays:
    emotion, speaker = (expected[name][..., None] for name in ("emo", "spk"))
    units = np.concatenate([expected["ling"], emotion, speaker, np.full_like(emotion, _FULL)], axis=-1)
    return {
        "units": units.astype(np.int32),
        "unit_lengths": np.array([[units.shape[1]]], dtype=np.int32),
        "pitch": np.zeros((1, 1), dtype=np.float32),
        "contour": np.ones((1, 1), dtype=np.float32),
    }


def _between(alone: Arrays) -> Arrays:
    """The item after one that is twice as long, and before one that is shorter and back to front."""
    units = alone["units"]
    count = units.shape[1]
    twice = np.concatenate([units, units[:, ::-1]], axis=1)
    return {
        "units": np.concatenate([twice[:, ::-1], twice, np.roll(twice, count, axis=1)]),
        "unit_lengths": np.array([[2 * count], [count], [count // 2 + 1]], dtype=np.int32),
        "pitch": np.array([[2.0], [0.0], [-3.0]], dtype=np.float32),
        "contour": np.array([[0.5], [1.0], [2.0]], dtype=np.float32),
    }


def _frames(encoded: Arrays, item: int, expected: Arrays, decoder: Stage) -> Arrays:
    """The decoder's inputs; what is not of the reference is spoken three times as slowly, so that its band is wider."""
    counts = 3 * np.floor(encoded["durations"] + 0.5).astype(np.int64)
    # An item has a frame at least.
    counts[:, 0] += 1
    counts[item] = 0
    counts[item, : expected["dur"].shape[1]] = expected["dur"][0]
    lengths = counts.sum(1)
    (step,) = (axis.step for axis in decoder.spec.axes() if axis.label == "frames")
    longest = -(-int(lengths.max()) // step) * step
    alignment = [
        np.pad(np.repeat(np.arange(row.size, dtype=np.int32), row), (0, longest - length), mode="edge")
        for row, length in zip(counts, lengths, strict=True)
    ]
    return {
        "hidden": encoded["hidden"].astype(np.float32),
        "alignment": np.stack(alignment),
        "frame_lengths": lengths[:, None].astype(np.int32),
    }
