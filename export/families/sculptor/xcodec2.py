"""Reads the decoder half of an xcodec2 checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from export.checkpoint_files import read_json, read_safetensors
from export.errors import CheckpointError
from export.families.sculptor.settings import Settings
from export.families.sculptor.xcodec2_decoder import GROUPS, OVERLAP, TransformerBlock, Xcodec2, Xcodec2Config
from export.vocoders.named import load_named

WEIGHTS, CONFIG, DIMENSIONS = "model.safetensors", "config.json", "dims.json"
_GENERATOR, _INPUT = "generator.", "fc_post_a."
_WINDOW = f"{_GENERATOR}head.istft.window"
# Of upstream's code, which has no setting for them.
_LEVEL, _HEAD_SIZE, _SAMPLE_RATE = 4, 64, 16000


def load_xcodec2(folder: Path) -> Xcodec2:
    """The decoder in the folder of an xcodec2 checkpoint: `model.safetensors` and `config.json`.

    Of the encoder, which is most of the file, nothing is read. Sizes are those of the tensors, with 64 channels a head
    and 4 levels a digit unless a `dims.json` says otherwise. The published checkpoint was trained with release 1.17.8
    of its quantiser, which xcodec2 0.1.5 asks for; a folder with a `dims.json` is from a later one, whose levels are
    symmetric. Raises `CheckpointError`.
    """
    path = folder / WEIGHTS
    state = read_safetensors(path, _GENERATOR, _INPUT)
    config = _config(folder, state)
    decoder = Xcodec2(config)
    # Computed, and the same in every checkpoint.
    given = {name: value for name, value in state.items() if name != _WINDOW}
    load_named(layers(decoder), given, f"{path}")
    return decoder.eval()


def _config(folder: Path, state: Mapping[str, Tensor]) -> Xcodec2Config:
    """Sizes of the decoder whose tensors these are. Raises `CheckpointError`."""
    path = folder / WEIGHTS
    embedding, digits = _shape(state, f"{_GENERATOR}quantizer.project_out.weight", 2, path)
    (width,) = _shape(state, f"{_GENERATOR}backbone.embed.bias", 1, path)
    (size,) = _shape(state, _WINDOW, 1, path)
    blocks = f"{_GENERATOR}backbone.transformers."
    depth = len({name.removeprefix(blocks).split(".")[0] for name in state if name.startswith(blocks)})
    sizes = {"hidden_dim": width, "depth": depth, "vq_dim": embedding, "hop_length": size // OVERLAP}
    heads, levels, rate = width // _HEAD_SIZE, (_LEVEL,) * digits, _SAMPLE_RATE
    symmetric = (folder / DIMENSIONS).is_file()
    if symmetric:
        settings = Settings(f"{folder / DIMENSIONS}", read_json(folder / DIMENSIONS))
        for name, found in sizes.items():
            settings.one_of(name, found)
        heads, levels = settings.whole("heads"), settings.wholes("levels", least=2, most=1024)
        settings.one_of("sample_rate", rate)
        if len(levels) != digits:
            raise settings.wrong("levels", list(levels), f"as many as the {digits} digits of {path}")
    else:
        settings = Settings(f"{folder / CONFIG}", read_json(folder / CONFIG))
        settings.one_of("codec_decoder_hidden_size", width, default=width)
    if not heads or width % heads or width % GROUPS or size % OVERLAP:
        raise CheckpointError(
            f"{path} has {width} channels and windows of {size} samples: xcodec2 has a multiple of {_HEAD_SIZE} "
            f"channels and of {OVERLAP} samples"
        )
    return Xcodec2Config(width, depth, heads, embedding, levels, size // OVERLAP, rate, symmetric)


def _shape(state: Mapping[str, Tensor], name: str, axes: int, path: Path) -> tuple[int, ...]:
    if name not in state or state[name].dim() != axes:
        raise CheckpointError(f"{path} has no {name} of {axes} axes: it is no xcodec2 checkpoint; fetch it again")
    return tuple(state[name].shape)


def layers(decoder: Xcodec2) -> dict[str, nn.Module]:
    """The layers under upstream's names."""
    backbone = f"{_GENERATOR}backbone"
    named: dict[str, nn.Module] = {
        f"{_GENERATOR}quantizer.project_in": decoder.quantise,
        f"{_GENERATOR}quantizer.project_out": decoder.embedding,
        "fc_post_a": decoder.input,
        f"{backbone}.embed": decoder.embed,
        f"{backbone}.final_layer_norm": decoder.norm,
        f"{_GENERATOR}head.out": decoder.spectrum,
    }
    named |= {f"{backbone}.prior_net.{number}": block for number, block in enumerate(decoder.before)}
    named |= {f"{backbone}.post_net.{number}": block for number, block in enumerate(decoder.after)}
    for number, block in enumerate(decoder.transformer):
        assert isinstance(block, TransformerBlock)
        named |= {
            f"{backbone}.transformers.{number}.{name}": layer
            for name, layer in (
                ("att_norm", block.attention_norm),
                ("att.c_attn", block.projections),
                ("att.c_proj", block.mixture),
                ("ffn_norm", block.feed_forward_norm),
                ("mlp.fc1", block.widen),
                ("mlp.fc2", block.narrow),
            )
        }
    return named
