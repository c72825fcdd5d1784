"""Compares a vocoder with what upstream's code computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.inference import in_double, run_onnx
from export.mel import bridge
from export.specs import DType, StageSpec, TensorSpec
from export.verify import Array, Chain, Row, both, compare, read_reference
from export.vocoders.bridge import Bridge
from export.vocoders.layouts import Layout, load_vocoder
from export.vocoders.vocoder import FRAMES, Vocoder, normal_mel, vocoder_stage

_NORMALISE = "normalise"


def verification_stages(layout: Layout, checkpoint: Path) -> tuple[Stage, ...]:
    """What `verify_vocoder` compares: the vocoder and, before one with statistics, the normalisation by them."""
    vocoder = load_vocoder(layout, checkpoint)
    stage = vocoder_stage(vocoder, vocoder.architecture)
    return (stage,) if vocoder.mel.statistics is None else (_normalisation(vocoder), stage)


def _normalisation(vocoder: Vocoder) -> Stage:
    raw = replace(vocoder.mel, statistics=None, normalised=False)
    axes = (FRAMES, vocoder.mel.bands)
    spec = StageSpec(
        role=_NORMALISE,
        inputs=(TensorSpec("mel_raw", DType.FP32, axes),),
        outputs=(TensorSpec("mel_normalised", DType.FP32, axes),),
    )
    return Stage(spec, Bridge(*bridge(raw, vocoder.mel)), normal_mel)


def verify_vocoder(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check the stages of `verification_stages`.

    The reference has `wav [1,1,samples]` and `mel [1,bands,M]`, or `mel_raw` and `mel_normalised` of that shape where
    there are statistics. The vocoder is checked alone and in a batch with other items. Raises `CheckpointError`.
    """
    expected = read_reference(reference)
    *before, (vocoder, path) = chain
    names = ("mel_raw", "mel_normalised", "wav") if before else ("mel", "wav")
    if missing := [name for name in names if name not in expected or expected[name].ndim != 3]:
        raise CheckpointError(f"{reference} lacks {', '.join(missing)} of 3 axes: not a reference of this layout")
    frames = {name: np.ascontiguousarray(expected[name].transpose(0, 2, 1)) for name in names[:-1]}
    bands = vocoder.spec.inputs[0].axes[1]
    if any(mel.shape[2] != bands for mel in frames.values()):
        raise CheckpointError(f"{reference} has other mel spectrograms than the vocoder, which takes {bands} bands")
    mel, wav = frames[names[-2]], expected["wav"][:, 0]
    rows = []
    for stage, graph in before:
        normalised = both(stage, graph, {"mel_raw": frames["mel_raw"]})
        pair = (normalised[0]["mel_normalised"], normalised[1]["mel_normalised"])
        rows.append(compare(_NORMALISE, "mel_normalised", pair, mel, tolerance))
        chained = (
            in_double(vocoder, _mel(pair[0]))["audio"],
            run_onnx(path, _mel(pair[1]))["audio"],
        )
        rows.append(compare("end_to_end", "wav", chained, wav, end_to_end))
    role = vocoder.spec.role
    alone = both(vocoder, path, _mel(mel))
    together = both(vocoder, path, _mel(np.concatenate([mel[:, ::-1], mel, 0.5 * mel])))
    rows.append(compare(role, "wav", (alone[0]["audio"], alone[1]["audio"]), wav, tolerance))
    rows.append(compare(role, "wav batched", (together[0]["audio"][1:2], together[1]["audio"][1:2]), wav, tolerance))
    return rows


def _mel(values: Array) -> Arrays:
    return {"mel": values.astype(np.float32)}
