"""CosyVoice2's language model: text and speech codes in, the next code out (`llm.pt`, `CosyVoice-BlankEN`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from export.checkpoint_files import load_strict, read_checkpoint, tensors
from export.errors import CheckpointError
from export.families.sculptor.cosyvoice_config import LanguageModelConfig
from export.families.sculptor.decoder_config import read_decoder
from export.families.sculptor.language_model import LanguageModelPart, Vocabulary
from export.families.sculptor.transformer import Decoder, DecoderConfig, LanguageModel, unfilled

FILE_NAME = "llm.pt"
CONFIG = Path("CosyVoice-BlankEN", "config.json")
ROLE = "lm"
# Ends of a speech: the one, and two that upstream's training puts between text and speech.
ENDS = 3
# What training leaves beside the weights.
_COUNTERS = ("epoch", "step")
# The table of texts once more; upstream never computes with it.
_UNUSED = ("llm.model.lm_head.",)


class _Holder(nn.Module):
    """A level in a name."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class CosyVoiceLm(nn.Module):
    """The modules of `llm.pt` by its names."""

    def __init__(self, config: LanguageModelConfig, decoder: DecoderConfig) -> None:
        super().__init__()
        outputs = config.codes + ENDS
        self.llm = _Holder(_Holder(Decoder(decoder)))
        self.llm_embedding = nn.Embedding(2, config.width)
        self.llm_decoder = nn.Linear(config.output, outputs)
        self.speech_embedding = nn.Embedding(outputs, config.width)

    def served(self) -> LanguageModel:
        """The model of one joint vocabulary: texts, start, task, then codes. Not to be called twice."""
        decoder = self.llm.model.model
        assert isinstance(decoder, Decoder)
        parts = (decoder.embed_tokens, self.llm_embedding, self.speech_embedding)
        table = torch.cat([part.weight.data for part in parts])
        del decoder.embed_tokens  # it is half a gigabyte
        return LanguageModel(table, decoder, self.llm_decoder)


def read(folder: Path, config: LanguageModelConfig) -> tuple[CosyVoiceLm, DecoderConfig]:
    """The language model of a CosyVoice2 folder, FP32. Raises `CheckpointError`."""
    path = folder / FILE_NAME
    sizes = read_decoder(folder / CONFIG, "qwen2")
    if not sizes.width == config.width == config.output:
        raise CheckpointError(
            f"{folder / CONFIG} has a hidden_size of {sizes.width}, cosyvoice2.yaml an llm_input_size of "
            f"{config.width} and an llm_output_size of {config.output}: they must be equal"
        )
    content = read_checkpoint(path)
    if isinstance(content, Mapping):
        content = {name: value for name, value in content.items() if name not in _COUNTERS}
    state = tensors(content, path=path)
    module = unfilled(lambda: CosyVoiceLm(config, sizes))
    load_strict(module, state, str(path), ignored=_UNUSED)
    return module.eval(), sizes


def part(folder: Path, config: LanguageModelConfig) -> LanguageModelPart:
    """The part `lm` of a voice. Raises `CheckpointError`."""
    module, sizes = read(folder, config)
    sampling = config.sampling
    return LanguageModelPart(
        role=ROLE,
        module=module.served(),
        sizes=sizes,
        vocabulary=Vocabulary(first_code=sizes.vocabulary + 2, codes=config.codes, ends=ENDS),
        sampler={
            "sampler": "ras",
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "window": sampling.window,
            "tau": sampling.tau,
        },
    )


def sources(folder: Path) -> tuple[Path, ...]:
    """The files that the part is made of."""
    return (folder / FILE_NAME, folder / CONFIG)
