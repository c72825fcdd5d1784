"""The flow stage of a designed voice: speech tokens and a prompt → the mel frames asked for, with their track."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from export.bundle import Arrays, Stage
from export.families.sculptor.cosyvoice_config import BANDS, FRAMES_PER_TOKEN, FlowConfig
from export.families.sculptor.flow import Flow
from export.families.sculptor.hift_source import TRACK
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec, Warmup

ROLE = "flow"
# 20 seconds of a prompt, and 40 of speech.
TOKENS = Axis("tokens", 16, 250, 1500)
PROMPT_FRAMES = Axis("prompt_frames", 16, 200, 1000)
# What a vocoder is given: a bucket, five seconds, and 40 seconds at half speed.
FRAMES = Axis("frames", 32, 256, 4096)
# Attention needs memory with the square of the tokens.
_MAX_BATCH = 16
_WARMUP = {TOKENS.label: 96, PROMPT_FRAMES.label: 96, FRAMES.label: 96}


class ServedFlow(nn.Module):
    """A flow that gives the frames at `positions` only, and the track of the vocoder's source after their bands."""

    moments: Tensor

    def __init__(self, flow: Flow, track: nn.Module) -> None:
        super().__init__()
        self.flow = flow
        self.track = track
        with torch.no_grad():
            self.register_buffer("moments", flow.decoder.moments(), persistent=False)

    def forward(
        self,
        tokens: Tensor,
        token_lengths: Tensor,
        held: Tensor,
        prompt_mel: Tensor,
        prompt_lengths: Tensor,
        xvector: Tensor,
        chunk: Tensor,
        positions: Tensor,
    ) -> Tensor:
        """→ mel [B, M, 83]; see `flow_spec`."""
        mel = self.flow(tokens, token_lengths, held, prompt_mel, prompt_lengths, xvector, chunk, moments=self.moments)
        frames = (token_lengths - held) * FRAMES_PER_TOKEN
        shown = (positions >= 0).to(mel.dtype)
        tracked: Tensor = self.track(frames_at(mel, positions, frames) * shown.unsqueeze(2), shown)
        return tracked


def frames_at(mel: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
    """mel [B, T, bands], positions [B, M], lengths [B, 1] → [B, M, bands]: linear between the two frames beside one."""
    last = (lengths - 1).clamp(min=0).to(torch.int64)
    below = torch.minimum(positions.clamp(min=0).floor().to(torch.int64), last)
    above = torch.minimum(below + 1, last)
    first, second = (mel.gather(1, at.unsqueeze(2).expand(-1, -1, mel.shape[2])) for at in (below, above))
    share = (positions - below.to(positions.dtype)).clamp(0, 1).unsqueeze(2)
    return first + share * (second - first)


def flow_spec(config: FlowConfig) -> StageSpec:
    """Tokens and a prompt to a mel spectrogram.

    `tokens` are those of the prompt and then the new ones, of which `token_lengths` are there; the last `held` of them
    are look-ahead alone. Attention stays within `chunk` tokens and what is before, so that the frames of a whole chunk
    do not depend on what comes after its look-ahead. `positions` are frames, counted from the start of the prompt, in
    any number and between frames, too; negative ones are padding at the end.
    """
    return StageSpec(
        role=ROLE,
        inputs=(
            TensorSpec("tokens", DType.INT32, (TOKENS,)),
            TensorSpec("token_lengths", DType.INT32, (1,)),
            TensorSpec("held", DType.INT32, (1,)),
            TensorSpec("prompt_mel", DType.FP32, (PROMPT_FRAMES, BANDS)),
            TensorSpec("prompt_lengths", DType.INT32, (1,)),
            TensorSpec("xvector", DType.FP32, (config.speaker,)),
            TensorSpec("chunk", DType.INT32, (1,)),
            TensorSpec("positions", DType.FP32, (FRAMES,)),
        ),
        outputs=(TensorSpec("mel", DType.FP32, (FRAMES, BANDS + TRACK)),),
        max_batch_size=_MAX_BATCH,
        precisions=FLOATS,
        warmups=(Warmup(1, _WARMUP),),
    )


def flow_stage(config: FlowConfig, flow: Flow, track: nn.Module) -> Stage:
    """The stage of a flow; `track` appends the vocoder's track: mel [B, M, 80], mask [B, M] → [B, M, 83]."""
    return Stage(flow_spec(config), ServedFlow(flow, track).eval(), partial(sample, config))


def sample(
    config: FlowConfig, spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator
) -> Arrays:
    """Random valid inputs: items differ in everything, the first one is full."""
    tokens, prompt, frames = (lengths[axis.label] for axis in (TOKENS, PROMPT_FRAMES, FRAMES))
    known = generator.integers(max(tokens // 2, 8), tokens + 1, (batch, 1))
    known[0] = tokens
    held = generator.choice((0, config.encoder.look_ahead), (batch, 1))
    heard = FRAMES_PER_TOKEN * (known - held)
    prompt_lengths = np.minimum(generator.integers(prompt // 2, prompt + 1, (batch, 1)), heard - 1)
    shown = generator.integers(frames // 2, frames + 1, (batch, 1))
    shown[0] = frames
    index = np.arange(frames)
    steps = (heard - 1 - prompt_lengths) / frames
    positions = np.where(index < shown, prompt_lengths + index * steps, -1)
    return {
        "tokens": generator.integers(0, config.vocabulary, (batch, tokens)).astype(np.int32),
        "token_lengths": known.astype(np.int32),
        "held": held.astype(np.int32),
        "prompt_mel": generator.uniform(-8, 2, (batch, prompt, BANDS)).astype(np.float32),
        "prompt_lengths": prompt_lengths.astype(np.int32),
        "xvector": generator.standard_normal((batch, config.speaker)).astype(np.float32),
        "chunk": generator.choice((config.chunk, TOKENS.maximum), (batch, 1)).astype(np.int32),
        "positions": positions.astype(np.float32),
    }
