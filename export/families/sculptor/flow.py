"""CosyVoice2's flow: speech tokens, a prompt and a speaker → a mel spectrogram; of `flow.pt`."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.checkpoint_files import load_strict, read_checkpoint, tensors
from export.families.frames import length_mask
from export.families.sculptor.attention import attention_bias
from export.families.sculptor.cosyvoice_config import FRAMES_PER_TOKEN, FlowConfig
from export.families.sculptor.flow_encoder import Encoder
from export.families.sculptor.flow_matching import FlowMatching

FILE_NAME = "flow.pt"


class Flow(nn.Module):
    """The whole flow, with the names of the checkpoint; exact in a batch of items of different lengths."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.input_embedding = nn.Embedding(config.vocabulary, config.encoder.width)
        self.spk_embed_affine_layer = nn.Linear(config.speaker, config.bands)
        self.encoder = Encoder(config.encoder)
        self.encoder_proj = nn.Linear(config.encoder.width, config.bands)
        self.decoder = FlowMatching(config)

    def features(self, tokens: Tensor, known: Tensor, held: Tensor, chunk: Tensor) -> tuple[Tensor, Tensor]:
        """tokens [B, N], and known, held and chunk [B, 1] int32 → features [B, 2N, 80], the bias of their attention.

        `known` is the number of tokens, of which the last `held` are look-ahead alone; `chunk` is in tokens.
        """
        x = self.input_embedding(tokens.clamp(0, self.input_embedding.num_embeddings - 1))
        steps, heard = tokens.shape[1], known - held
        bias = attention_bias(heard, chunk, steps, x.dtype)
        frame_bias = attention_bias(
            heard * FRAMES_PER_TOKEN, chunk * FRAMES_PER_TOKEN, steps * FRAMES_PER_TOKEN, x.dtype
        )
        encoded = self.encoder(x, length_mask(known, x).to(x.dtype), bias, frame_bias)
        return self.encoder_proj(encoded), frame_bias

    def speaker(self, xvector: Tensor) -> Tensor:
        """xvector [B, 192] → [B, 80]."""
        projected: Tensor = self.spk_embed_affine_layer(F.normalize(xvector, dim=1))
        return projected

    def forward(
        self,
        tokens: Tensor,
        known: Tensor,
        held: Tensor,
        prompt: Tensor,
        prompt_lengths: Tensor,
        xvector: Tensor,
        chunk: Tensor,
        moments: Tensor,
    ) -> Tensor:
        """→ mel [B, 2N, 80] of all tokens [B, N], those of the prompt in front.

        prompt [B, P, 80] is the prompt's mel and prompt_lengths [B, 1] int32 its frames; xvector [B, 192]; `moments` of
        `FlowMatching.moments`. See `features` for the rest.
        """
        features, bias = self.features(tokens, known, held, chunk)
        condition = _prompted(prompt, prompt_lengths, features.shape[1])
        mel: Tensor = self.decoder(features, self.speaker(xvector), condition, bias, moments)
        return mel


def _prompted(prompt: Tensor, lengths: Tensor, frames: int) -> Tensor:
    """prompt [B, P, 80], lengths [B, 1] → [B, frames, 80]: the prompt, and zeros behind its length."""
    index = torch.arange(frames, device=prompt.device)
    inside = (index.to(lengths.dtype) < lengths).unsqueeze(2)
    return prompt[:, index.clamp(max=prompt.shape[1] - 1)] * inside.to(prompt.dtype)


def load_flow(path: Path, config: FlowConfig) -> Flow:
    """The flow of a checkpoint's `flow.pt`, in float32.

    Raises `CheckpointError` for a file that is damaged, or whose tensors are not exactly those that the config says.
    """
    flow = Flow(config)
    state = {name: value.float() for name, value in tensors(read_checkpoint(path), path=path).items()}
    load_strict(flow, state, str(path))
    return flow.eval()
