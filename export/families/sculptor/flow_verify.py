"""Compares the flow with what CosyVoice2 computes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.families.frames import length_mask
from export.families.sculptor.attention import attention_bias
from export.families.sculptor.cosyvoice_config import BANDS, FRAMES_PER_TOKEN, FlowConfig
from export.families.sculptor.flow import Flow
from export.families.sculptor.flow_stage import TOKENS, flow_stage
from export.families.sculptor.flow_stage import sample as sample_flow
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec
from export.verify import Array, Chain, Row, both, compare

_ENCODER, _ESTIMATOR = "flow_encoder", "flow_estimator"
_TOKENS = Axis("tokens", 16, 64, 128)
_FRAMES = _TOKENS.scaled("mel_frames", FRAMES_PER_TOKEN)
# Array of the reference → its axes.
_ARRAYS = {
    **{"token": 2, "prompt_token": 2, "prompt_feat": 3, "embedding": 2, "mu": 3, "mel": 3},
    **{"mu_streaming": 3, "mel_streaming_not_final": 3, "est_x": 3, "est_t": 1, "est_spks": 2, "est_out": 3},
}
# Upstream's chunk in streaming, in tokens.
_CHUNK = 25
# How much longer the longest item of a batch is than the reference, in tokens.
_LONGER = 7


class _Features(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, tokens: Tensor, token_lengths: Tensor, held: Tensor, chunk: Tensor) -> Tensor:
        """→ features [B, 2N, 80], zero in the padding."""
        features, _ = self.flow.features(tokens, token_lengths, held, chunk)
        inside = length_mask((token_lengths - held) * FRAMES_PER_TOKEN, features)
        return features * inside.to(features.dtype)


class _Velocity(nn.Module):
    def __init__(self, flow: Flow) -> None:
        super().__init__()
        self.estimator = flow.decoder.estimator

    def forward(self, x: Tensor, features: Tensor, speaker: Tensor, moment: Tensor, frame_lengths: Tensor) -> Tensor:
        """→ velocity [B, T, 80] without a prompt, zero in the padding; the moment is the first item's."""
        bias = attention_bias(frame_lengths, torch.full_like(frame_lengths, _FRAMES.maximum), x.shape[1], x.dtype)
        fixed = self.estimator.fixed(features, speaker, torch.zeros_like(features))
        velocity = self.estimator(x, self.estimator.moments(moment[0])[0], [fixed], bias)
        inside: Tensor = length_mask(frame_lengths, x).to(x.dtype)
        return torch.as_tensor(velocity) * inside


def flow_verification_stages(config: FlowConfig, flow: Flow, track: nn.Module) -> tuple[Stage, ...]:
    """What `verify_flow` compares: the encoder, one call of the estimator, and the stage that is served."""
    features = TensorSpec("features", DType.FP32, (_FRAMES, BANDS))
    encoder = StageSpec(
        role=_ENCODER,
        inputs=(
            TensorSpec("tokens", DType.INT32, (_TOKENS,)),
            *(TensorSpec(name, DType.INT32, (1,)) for name in ("token_lengths", "held", "chunk")),
        ),
        outputs=(features,),
        precisions=FLOATS,
    )
    estimator = StageSpec(
        role=_ESTIMATOR,
        inputs=(
            TensorSpec("x", DType.FP32, (_FRAMES, BANDS)),
            features,
            TensorSpec("speaker", DType.FP32, (BANDS,)),
            TensorSpec("moment", DType.FP32, (1,)),
            TensorSpec("frame_lengths", DType.INT32, (1,)),
        ),
        outputs=(TensorSpec("velocity", DType.FP32, (_FRAMES, BANDS)),),
        precisions=FLOATS,
    )
    return (
        Stage(encoder, _Features(flow).eval(), partial(_sample_tokens, config)),
        Stage(estimator, _Velocity(flow).eval(), _sample_frames),
        flow_stage(config, flow, track),
    )


def verify_flow(chain: Chain, expected: Arrays, look_ahead: int, tolerance: float) -> list[Row]:
    """Check `flow_verification_stages` and their graphs against every array of a reference that a flow makes.

    Each array is compared twice: alone, and in a batch between a shorter and a longer item of other contents. Raises
    `CheckpointError` where the reference is of something else.
    """
    if wrong := [name for name, axes in _ARRAYS.items() if name not in expected or expected[name].ndim != axes]:
        raise CheckpointError(f"the reference has no {', '.join(wrong)} as CosyVoice2 gives them")
    encoder, estimator, served = chain
    rows = []
    for item, suffix in ((0, ""), (1, " in a batch")):
        for held, chunk, mu, mel in (
            (0, TOKENS.maximum, "mu", "mel"),
            (look_ahead, _CHUNK, "mu_streaming", "mel_streaming_not_final"),
        ):
            inputs = reference_tokens(expected, held, chunk, together=bool(item))
            pair = _pair(both(*encoder, _of(encoder[0], inputs)), "features", item, expected[mu].shape[1])
            rows.append(compare(_ENCODER, mu + suffix, pair, expected[mu], tolerance))
            target = expected[mel].transpose(0, 2, 1)
            pair = _pair(both(*served, inputs), "mel", item, target.shape[1])
            rows.append(compare("flow", mel + suffix, pair, target, tolerance))
        target = expected["est_out"].transpose(0, 2, 1)
        pair = _pair(both(*estimator, _frames(expected, together=bool(item))), "velocity", item, target.shape[1])
        rows.append(compare(_ESTIMATOR, "est_out" + suffix, pair, target, tolerance))
    return rows


def _pair(sides: tuple[Arrays, Arrays], name: str, item: int, frames: int) -> tuple[Array, Array]:
    module, graph = (side[name][item : item + 1, :frames, :BANDS] for side in sides)
    return module, graph


def _of(stage: Stage, inputs: Arrays) -> Arrays:
    return {tensor.name: inputs[tensor.name] for tensor in stage.spec.inputs}


def reference_tokens(expected: Arrays, held: int, chunk: int, *, together: bool) -> Arrays:
    """The served stage's inputs: the reference alone, or as the second of three items."""
    tokens = np.concatenate([expected["prompt_token"], expected["token"]], axis=1).astype(np.int32)
    prompt = expected["prompt_feat"].astype(np.float32)
    known, before = tokens.shape[1], prompt.shape[1]
    positions = np.arange(before, FRAMES_PER_TOKEN * (known - held), dtype=np.float32)[None]
    inputs = {
        "tokens": tokens,
        "token_lengths": np.array([[known]], dtype=np.int32),
        "held": np.array([[held]], dtype=np.int32),
        "prompt_mel": prompt,
        "prompt_lengths": np.array([[before]], dtype=np.int32),
        "xvector": expected["embedding"].astype(np.float32),
        "chunk": np.array([[chunk]], dtype=np.int32),
        "positions": positions,
    }
    if not together:
        return inputs
    longer = np.concatenate([tokens[:, ::-1], tokens[:, :_LONGER]], axis=1)
    lengths = np.array([[known // 2], [known], [known + _LONGER]], dtype=np.int32)
    frames = positions.shape[1]
    return {
        "tokens": np.concatenate([longer, np.pad(tokens, ((0, 0), (0, _LONGER)), mode="edge"), longer]),
        "token_lengths": lengths,
        "held": np.array([[0], [held], [0]], dtype=np.int32),
        "prompt_mel": np.concatenate([prompt[:, ::-1], prompt, 0.5 * prompt]),
        "prompt_lengths": np.array([[before // 2], [before], [before]], dtype=np.int32),
        "xvector": np.concatenate([inputs["xvector"] * scale for scale in (-1, 1, 2)]),
        "chunk": np.array([[3], [chunk], [TOKENS.maximum]], dtype=np.int32),
        # The reference's frames, and padding after them.
        "positions": np.concatenate(
            [np.pad(positions, ((0, 0), (0, _LONGER)), constant_values=fill) for fill in (0, -1, frames)]
        ),
    }


def _frames(expected: Arrays, *, together: bool) -> Arrays:
    """The inputs of one call of the estimator, alone or as the second of three items."""
    x, mu = expected["est_x"].transpose(0, 2, 1), expected["mu"]
    frames = x.shape[1]
    inputs = {"x": x, "features": mu, "speaker": expected["est_spks"], "moment": expected["est_t"][None]}
    lengths = [[frames]]
    if together:
        padding = ((0, 0), (0, FRAMES_PER_TOKEN * _LONGER), (0, 0))
        x, mu = np.pad(x, padding, mode="reflect"), np.pad(mu, padding, mode="reflect")
        inputs = {
            "x": np.concatenate([-x, x, 0.5 * x]),
            "features": np.concatenate([-mu, mu, 0.5 * mu]),
            "speaker": np.concatenate([expected["est_spks"]] * 3),
            "moment": np.concatenate([expected["est_t"][None]] * 3),
        }
        lengths = [[frames // 2], [frames], [x.shape[1]]]
    floats = {name: np.ascontiguousarray(value, dtype=np.float32) for name, value in inputs.items()}
    return floats | {"frame_lengths": np.array(lengths, dtype=np.int32)}


def _sample_tokens(
    config: FlowConfig, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    inputs = sample_flow(config, spec, batch, {**lengths, "prompt_frames": 16, "frames": 32}, generator)
    return {tensor.name: inputs[tensor.name] for tensor in spec.inputs}


def _sample_frames(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    frames = lengths[_FRAMES.label]
    frame_lengths = generator.integers(frames // 2, frames + 1, (batch, 1)).astype(np.int32)
    frame_lengths[0] = frames
    return {
        "x": generator.standard_normal((batch, frames, BANDS)).astype(np.float32),
        "features": generator.standard_normal((batch, frames, BANDS)).astype(np.float32),
        "speaker": generator.standard_normal((batch, BANDS)).astype(np.float32),
        "moment": generator.uniform(0, 1, (batch, 1)).astype(np.float32),
        "frame_lengths": frame_lengths,
    }
