"""An xcodec2 checkpoint that was never trained, in the folder of the real one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import safetensors.torch
import torch

from export.families.sculptor.untrained_language import State, Weights
from export.families.sculptor.untrained_sizes import Xcodec2Sizes

# Digits of a code, samples of its codes' spectrum, channels of a group norm's smallest group.
_DIGITS, _FFT = 8, 1280
_TAPS, _EMBED_TAPS = 3, 7


def write_xcodec2(folder: Path, sizes: Xcodec2Sizes, weights: Weights) -> None:
    """Write `config.json` and `model.safetensors`, with a few tensors of the encoder half, into a new folder."""
    folder.mkdir()
    config = {
        "architectures": ["XCodec2Model"],
        "codec_decoder_hidden_size": sizes.width,
        "codec_encoder_hidden_size": sizes.width,
        "model_type": "xcodec2",
        "semantic_hidden_size": sizes.width,
        "torch_dtype": "float32",
        "use_vocos": True,
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    state = _decoder(sizes, weights) | _encoder(sizes, weights)
    safetensors.torch.save_file(state, folder / "model.safetensors", {"format": "pt"})


def _decoder(sizes: Xcodec2Sizes, weights: Weights) -> State:
    width = sizes.width
    shapes: dict[str, tuple[int, ...]] = {
        "quantizer.project_in.weight": (_DIGITS, sizes.codes),
        "quantizer.project_in.bias": (_DIGITS,),
        "quantizer.project_out.weight": (sizes.codes, _DIGITS),
        "quantizer.project_out.bias": (sizes.codes,),
        "backbone.embed.weight": (width, width, _EMBED_TAPS),
        "backbone.embed.bias": (width,),
        "backbone.final_layer_norm.weight": (width,),
        "backbone.final_layer_norm.bias": (width,),
        "head.out.weight": (_FFT + 2, width),
        "head.out.bias": (_FFT + 2,),
    }
    for part in ("prior_net", "post_net"):
        for block in range(2):
            for half in (1, 2):
                name = f"backbone.{part}.{block}"
                shapes |= {f"{name}.norm{half}.{kind}": (width,) for kind in ("weight", "bias")}
                shapes |= {f"{name}.conv{half}.weight": (width, width, _TAPS), f"{name}.conv{half}.bias": (width,)}
    for layer in range(sizes.depth):
        name = f"backbone.transformers.{layer}"
        shapes |= {
            f"{name}.att_norm.weight": (width,),
            f"{name}.ffn_norm.weight": (width,),
            f"{name}.att.c_attn.weight": (3 * width, width),
            f"{name}.att.c_proj.weight": (width, width),
            f"{name}.mlp.fc1.weight": (4 * width, width),
            f"{name}.mlp.fc2.weight": (width, 4 * width),
        }
    state = {f"generator.{name}": _random(name, shape, weights) for name, shape in shapes.items()}
    state["generator.head.istft.window"] = torch.hann_window(_FFT)
    # Magnitudes are exponentials: these make a wave that is heard, and not clipped.
    state["generator.head.out.bias"][: _FFT // 2 + 1] = _LOUDNESS
    state["fc_post_a.weight"] = weights.normal(width, sizes.codes, scale=1 / math.sqrt(sizes.codes))
    state["fc_post_a.bias"] = torch.zeros(width)
    return state


_LOUDNESS = 1.0


def _encoder(sizes: Xcodec2Sizes, weights: Weights) -> State:
    """Of what only an encoder needs, one tensor of each of its parts."""
    width = sizes.width
    return {
        "CodecEnc.conv_blocks.0.bias": torch.zeros(48),
        "SemanticEncoder_module.initial_conv.weight": weights.normal(width, width, 3, scale=0.01),
        "fc_prior.weight": weights.normal(2 * width, 2 * width, scale=0.01),
        "semantic_model.masked_spec_embed": torch.zeros(width),
    }


def _random(name: str, shape: tuple[int, ...], weights: Weights) -> torch.Tensor:
    if len(shape) == 1:
        return torch.ones(shape) if "norm" in name and name.endswith("weight") else torch.zeros(shape)
    return weights.normal(*shape, scale=1 / math.sqrt(math.prod(shape[1:])))
