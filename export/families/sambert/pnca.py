"""The mel decoder of SAM-BERT: attention to a band of the past and of the memory (PNCA), a few frames a step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from export.families.sambert.config import SambertConfig
from export.families.sambert.layers import EPSILON, MASKED, FeedForward, Prenet
from export.families.sambert.recurrence import recur


class PncaAttention(nn.Module):
    """Pre-norm attention of one query to two sets of keys: the decoder's own past, x, and the memory, h."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.heads = config.decoder_heads
        self.width = config.decoder_units // config.decoder_heads
        inner = self.heads * self.width
        self.layer_norm = nn.LayerNorm(config.decoder_units, eps=EPSILON)
        self.w_x_qkv = nn.Linear(config.decoder_units, 3 * inner)
        self.fc_x = nn.Linear(inner, config.decoder_units)
        self.w_h_kv = nn.Linear(config.memory_units, 2 * inner)
        self.fc_h = nn.Linear(inner, config.decoder_units)

    def attend_to(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """memory [B, L, memory_units] → keys [B, heads, width, L], values [B, heads, L, width]."""
        packed = self.w_h_kv(memory).unflatten(-1, (2, self.heads, self.width))
        keys, values = packed.permute(2, 0, 3, 1, 4).unbind(0)
        # Both live in a loop, which must not see one tensor twice.
        return keys.transpose(2, 3).contiguous(), values.contiguous()


class PncaLayer(nn.Module):
    """Attention and a feed-forward part, which `PncaStep` runs."""

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.pnca_attn = PncaAttention(config)
        self.pos_ffn = FeedForward(config.decoder_units, config.decoder_filter, 1)


class PncaStep:
    """One step of a layer, with everything that is the same at every step computed before the loop."""

    def __init__(self, layer: PncaLayer, memory: Tensor) -> None:
        attention, feed_forward = layer.pnca_attn, layer.pos_ffn
        self.heads, self.width = attention.heads, attention.width
        self.norm, self.feed_forward_norm = attention.layer_norm, feed_forward.layer_norm
        self.memory_keys, self.memory_values = attention.attend_to(memory)
        # The scale of the scores goes into the projection of the query.
        query, key_value = attention.w_x_qkv.weight.tensor_split((self.heads * self.width,))
        query_bias, key_value_bias = attention.w_x_qkv.bias.tensor_split((self.heads * self.width,))
        scale = self.width**-0.5
        self.project = torch.cat([query * scale, key_value])
        self.project_bias = torch.cat([query_bias * scale, key_value_bias])
        self.output = torch.cat([attention.fc_x.weight, attention.fc_h.weight], dim=1)
        self.output_bias = attention.fc_x.bias + attention.fc_h.bias
        self.expand, self.expand_bias = feed_forward.w_1.weight.squeeze(-1), feed_forward.w_1.bias
        self.contract, self.contract_bias = feed_forward.w_2.weight.squeeze(-1), feed_forward.w_2.bias

    def __call__(
        self, x: Tensor, keys: Tensor, values: Tensor, now: Tensor, past: Tensor, ahead: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x [B, units], keys and values [B, heads, L, width] so far → the same after step `now` (a number, int64).

        `past` and `ahead` [B, 1, 1, L] are added to the scores of the past and of the memory.
        """
        packed = F.linear(self.norm(x), self.project, self.project_bias)
        query, key, value = (part.view(-1, self.heads, 1, self.width) for part in packed.chunk(3, dim=1))
        slot = now.expand(key.shape)
        # Under PyTorch's autocast, which leaves a scatter alone, the new ones come in float16.
        keys = keys.scatter(2, slot, key.to(keys.dtype))
        values = values.scatter(2, slot, value.to(values.dtype))
        own = (query @ keys.transpose(2, 3) + past).softmax(-1) @ values
        heard = (query @ self.memory_keys + ahead).softmax(-1) @ self.memory_values
        x = x + F.linear(torch.cat([own.flatten(1), heard.flatten(1)], dim=1), self.output, self.output_bias)
        y = F.relu(F.linear(self.feed_forward_norm(x), self.expand, self.expand_bias))
        return x + F.linear(y, self.contract, self.contract_bias), keys, values


class PncaDecoder(nn.Module):
    """Memory → mel frames, `outputs_per_step` a step; each step sees the last frame of the one before it.

    Step t attends to the steps t - w … t and to the memory t … t + w, where w is the item's band width.
    """

    def __init__(self, config: SambertConfig) -> None:
        super().__init__()
        self.config = config
        self.prenet = Prenet(config.bands, config.decoder_prenet, config.decoder_units)
        self.dec_in_proj = nn.Linear(config.memory_units + config.decoder_units, config.decoder_units)
        self.pnca = nn.ModuleList(PncaLayer(config) for _ in range(config.decoder_layers))
        self.ln = nn.LayerNorm(config.decoder_units, eps=EPSILON)
        self.dec_out_proj = nn.Linear(config.decoder_units, config.outputs_per_step * config.bands)

    def forward(self, memory: Tensor, widths: Tensor, lengths: Tensor) -> Tensor:
        """memory [B, L, memory_units], widths and lengths [B, 1] int64 in steps → [B, L, outputs_per_step·bands]."""
        config = self.config
        layers = [PncaStep(layer, memory) for layer in self.pnca if isinstance(layer, PncaLayer)]
        scale = config.decoder_units**0.5
        from_memory, from_last = (self.dec_in_proj.weight * scale).tensor_split((config.memory_units,), dim=1)
        fixed = F.linear(memory, from_memory, self.dec_in_proj.bias * scale)
        steps = torch.arange(memory.shape[1], device=memory.device)

        def step(state: list[Tensor], inputs: list[Tensor]) -> tuple[list[Tensor], Tensor]:
            frame, *caches = state
            x, now = inputs[0], inputs[1].reshape(())
            past = _only((steps <= now) & (steps >= now - widths), x)
            ahead = _only((steps >= now) & (steps <= now + widths) & (steps < lengths), x)
            x = x + F.linear(self.prenet(frame), from_last)
            after = []
            for layer, keys, values in zip(layers, caches[::2], caches[1::2], strict=True):
                x, keys, values = layer(x, keys, values, now, past, ahead)
                after += [keys, values]
            frames = self.dec_out_proj(self.ln(x))
            return [frames[:, -config.bands :].clone(), *after], frames

        caches = [memory.new_zeros(layer.memory_values.shape) for layer in layers for _ in range(2)]
        start = memory.new_zeros(memory.shape[0], config.bands)
        return recur(step, [start, *caches], [fixed, steps.unsqueeze(0)])


def _only(which: Tensor, like: Tensor) -> Tensor:
    """[B, L] keys that count → what is added to their scores, [B, 1, 1, L]."""
    return ((~which).to(like.dtype) * MASKED)[:, None, None, :]
