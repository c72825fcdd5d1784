"""Compares a CosyVoice2 checkpoint with what upstream computes: language model, flow, vocoder, and flow to waveform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from export.bundle import Stage
from export.families.sculptor.cosyvoice_config import FILE_NAME, CosyVoiceConfig
from export.families.sculptor.flow import load_flow
from export.families.sculptor.flow_stage import TOKENS, ServedFlow
from export.families.sculptor.flow_verify import flow_verification_stages, reference_tokens, verify_flow
from export.families.sculptor.hift import load_hift
from export.families.sculptor.hift_stage import track_of
from export.families.sculptor.hift_verify import hift_verification_stages, verify_hift
from export.families.sculptor.language_model import LanguageModelPart
from export.families.sculptor.lm_verify import language_model, verify_language_model
from export.inference import run_onnx
from export.verify import Chain, Row, read_reference

# Stages of the language model and of the flow; the others are the vocoder's.
_LANGUAGE_MODEL, _FLOW = 1, 3


@dataclass(frozen=True)
class PartStage(Stage):
    """The graph of a part as a stage, with the part."""

    part: LanguageModelPart | None = None


def cosyvoice2_stages(checkpoint: Path) -> Sequence[Stage]:
    """What `verify_cosyvoice2` compares, of a folder with a `cosyvoice2.yaml`. Raises `CheckpointError`."""
    config = CosyVoiceConfig.read(checkpoint / FILE_NAME)
    part = language_model(checkpoint)
    flow, hift = load_flow(checkpoint / "flow.pt", config.flow), load_hift(config.hift, checkpoint / "hift.pt")
    stage = part.stage
    return (
        PartStage(stage.spec, stage.module, stage.sampler, part=part),
        *flow_verification_stages(config.flow, flow, track_of(hift)),
        *hift_verification_stages(hift),
    )


def verify_cosyvoice2(chain: Chain, reference: Path, tolerance: float, end_to_end: float) -> list[Row]:
    """Check the stages of `cosyvoice2_stages`, and flow and vocoder after one another. Raises `CheckpointError`."""
    expected = read_reference(reference)
    (stage, path), flow = chain[0], chain[_LANGUAGE_MODEL : _LANGUAGE_MODEL + _FLOW]
    vocoder = chain[_LANGUAGE_MODEL + _FLOW :]
    assert isinstance(stage, PartStage)
    assert stage.part is not None
    served, served_path = flow[-1]
    assert isinstance(served.module, ServedFlow)
    look_ahead = served.module.flow.encoder.pre_lookahead_layer.tokens
    rows = verify_language_model(stage.part, path, expected, tolerance)
    rows += verify_flow(flow, expected, look_ahead, tolerance)
    rows += verify_hift(vocoder, expected, tolerance)
    made = run_onnx(served_path, reference_tokens(expected, 0, TOKENS.maximum, together=False))["mel"]
    mel = made[..., : expected["mel"].shape[1]].transpose(0, 2, 1)
    chained = verify_hift(vocoder, expected | {"mel": mel}, end_to_end)
    return [*rows, *(replace(row, stage="end_to_end") for row in chained if row.array == "wav")]
