"""LLaSA: a Llama that writes xcodec2's codes (Ye et al. 2025), in Hugging Face's layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from export.checkpoint_files import load_strict, read_json, read_safetensors
from export.errors import CheckpointError, listed
from export.families.sculptor.decoder_config import FILE_NAME, read_decoder
from export.families.sculptor.language_model import LanguageModelPart, Vocabulary
from export.families.sculptor.tokenizers import SpeechCodes
from export.families.sculptor.transformer import Decoder, DecoderConfig, LanguageModel, unfilled

ROLE = "llasa"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# The index of a model in a hundred files has a megabyte.
_MOST_INDEX_BYTES = 16 << 20
# What older files have of the positions.
_COMPUTED = ".rotary_emb.inv_freq"
# Upstream draws of the best 15 ids with a temperature, after it has made repeated ones less likely.
_SAMPLER: dict[str, str | float] = {
    "sampler": "nucleus",
    "temperature": 0.9,
    "top_k": 15,
    "top_p": 0.95,
    "repetition_penalty": 1.05,
}
# Positions that a prompt and a speech may have together, upstream's `max_length`.
CONTEXT = 2048


class Llama(nn.Module):
    """The modules of a LlamaForCausalLM by its names; a tied head has no weights of its own."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.model = Decoder(config)
        if not config.tied:
            self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)

    def served(self, speech: SpeechCodes) -> LanguageModel:
        """The model whose logits are those of the codes and of the end. Not to be called twice."""
        table = self.model.embed_tokens.weight.data
        rows = self.lm_head.weight.data if hasattr(self, "lm_head") else table
        head = nn.Linear(table.shape[1], speech.count + 1, bias=False, device="meta")
        weight = torch.cat((rows[speech.first : speech.first + speech.count], rows[speech.end : speech.end + 1]))
        head.weight = nn.Parameter(weight, requires_grad=False)
        del self.model.embed_tokens
        return LanguageModel(table, self.model, head)


def files(folder: Path) -> tuple[Path, ...]:
    """The files with weights: one, or those that an index names. Raises `CheckpointError`."""
    if (folder / WEIGHTS).is_file():
        return (folder / WEIGHTS,)
    index = folder / INDEX
    if not index.is_file():
        raise CheckpointError(
            f"{folder} has neither {WEIGHTS} nor {INDEX}: download the checkpoint's safetensors files"
        )
    parts = read_json(index, _MOST_INDEX_BYTES).get("weight_map")
    if not isinstance(parts, dict) or not parts or not all(isinstance(name, str) for name in parts.values()):
        raise CheckpointError(f"{index} has no weight_map of names to files; fetch it again")
    names = sorted(set(parts.values()))
    if strange := [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]:
        raise CheckpointError(f"{index} names {strange[0][:60]}, which is no safetensors file here; fetch it again")
    if missing := [name for name in names if not (folder / name).is_file()]:
        raise CheckpointError(f"{folder} lacks {listed(missing)}, which {INDEX} names: download what is missing")
    return tuple(folder / name for name in names)


def sources(folder: Path) -> tuple[Path, ...]:
    """The files that the part is made of. Raises `CheckpointError`."""
    index = (folder / INDEX,) if not (folder / WEIGHTS).is_file() else ()
    return (folder / FILE_NAME, *index, *files(folder))


def read(folder: Path) -> tuple[Llama, DecoderConfig]:
    """A checkpoint in whatever float type, as FP32. Raises `CheckpointError`."""
    config = read_decoder(folder / FILE_NAME, "llama")
    state: dict[str, Tensor] = {}
    for name, value in _weights(files(folder)):
        if name in state:
            raise CheckpointError(f"{folder} has {name[:80]} in two files; fetch it again")
        state[name] = value
    if config.tied:
        # Some files have the table once more under the head's name.
        state.pop("lm_head.weight", None)
    module = unfilled(lambda: Llama(config))
    load_strict(module, state, str(folder))
    return module.eval(), config


def part(folder: Path, speech: SpeechCodes, rows: int) -> LanguageModelPart:
    """The part `llasa` of a voice; `rows` is how many ids its tokenizer has. Raises `CheckpointError`."""
    module, config = read(folder)
    if rows > config.vocabulary:
        raise CheckpointError(
            f"{folder / FILE_NAME} has a vocab_size of {config.vocabulary}, its tokenizer has ids up to {rows - 1}: "
            "they are not of one checkpoint"
        )
    return LanguageModelPart(
        role=ROLE,
        module=module.served(speech),
        sizes=config,
        vocabulary=Vocabulary(first_code=speech.first, codes=speech.count, ends=1),
        sampler=_SAMPLER,
        context=min(CONTEXT, config.context),
    )


def _weights(paths: tuple[Path, ...]) -> Iterator[tuple[str, Tensor]]:
    """The tensors of all files in the types that they have there, but for what the config says as well."""
    for path in paths:
        for name, value in read_safetensors(path).items():
            if not name.endswith(_COMPUTED):
                yield name, value
