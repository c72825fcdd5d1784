"""A flow of the smallest sizes with random weights, and inputs for it."""

from __future__ import annotations

import numpy as np
import torch

from export.families.sculptor.cosyvoice_config import EncoderConfig, EstimatorConfig, FlowConfig
from export.families.sculptor.flow import Flow

# The heads of the estimator are wider than its channels, as upstream's are.
CONFIG = FlowConfig(
    vocabulary=50,
    speaker=192,
    bands=80,
    chunk=25,
    guidance=0.7,
    encoder=EncoderConfig(width=32, heads=2, units=48, blocks=1, up_blocks=1, look_ahead=3),
    estimator=EstimatorConfig(channels=16, heads=3, head_size=8, transformers=1, middle_blocks=1),
)
EVERYTHING = 10_000


def random_flow() -> Flow:
    torch.manual_seed(3)
    flow = Flow(CONFIG)
    for name, value in flow.named_parameters():
        # Everything must be told from what it would be if it were left out.
        if "norm" in name or "pos_bias" in name or name.endswith("out.1.weight"):
            torch.nn.init.normal_(value, 1.0 if name.endswith("weight") else 0.0, 0.3)
    return flow.double().eval()


def request(seed: int, *, tokens: int, held: int = 0, prompt: int = 6, chunk: int = 5) -> dict[str, np.ndarray]:
    """One item for a flow: `tokens` are all of them, `prompt` those of the prompt."""
    random = np.random.default_rng(seed)
    return {
        "tokens": random.integers(0, CONFIG.vocabulary, (1, tokens)).astype(np.int32),
        "token_lengths": np.array([[tokens]], dtype=np.int32),
        "held": np.array([[held]], dtype=np.int32),
        "prompt_mel": random.normal(size=(1, 2 * prompt, 80)),
        "prompt_lengths": np.array([[2 * prompt]], dtype=np.int32),
        "xvector": random.normal(size=(1, CONFIG.speaker)),
        "chunk": np.array([[chunk]], dtype=np.int32),
    }


def batched(requests: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The requests as one batch, padded with values that must make no difference."""

    def padded(name: str, value: np.ndarray) -> np.ndarray:
        longest = max(other[name].shape[1] for other in requests)
        fill = -1 if name == "positions" else 7
        widths = [(0, 0), (0, longest - value.shape[1]), *[(0, 0)] * (value.ndim - 2)]
        return np.pad(value, widths, constant_values=fill)

    return {name: np.concatenate([padded(name, one[name]) for one in requests]) for name in requests[0]}


def mel_of(flow: Flow, inputs: dict[str, np.ndarray]) -> torch.Tensor:
    """The whole mel spectrogram [B, 2N, 80] in float64."""
    tensors = [torch.from_numpy(inputs[name]) for name in inputs]
    with torch.no_grad():
        return flow(*tensors, flow.decoder.moments())
