"""The ids that the language models are prompted with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from design_errors import SettingsError
from design_request import Design
from design_settings import Settings
from tokenizers import Tokenizer

LLASA_TOKENIZER = "llasa_tokenizer.json"
TEXT_TOKENIZER = "text_tokenizer.json"

Ids = npt.NDArray[np.int32]


class Prompts:
    """Prompts of a voice's two language models.

    Both tokenizers know ordinary text alone: what looks like one of a model's own marks is spelled letter by letter.
    """

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Read the tokenizers in the model's folder. Raises `SettingsError`."""
        self._template = settings.template
        self._llasa = _tokenizer(folder / LLASA_TOKENIZER)
        self._sentence = self._llasa.encode(settings.sentence, add_special_tokens=False).ids
        text = _tokenizer(folder / TEXT_TOKENIZER)
        self.reference: Ids = np.array(text.encode(settings.sentence, add_special_tokens=False).ids, dtype=np.int32)

    def llasa(self, design: Design) -> Ids:
        """What LLaSA goes on from: a chat in which the user asks for the sentence, and the answer has begun. [n]

        Upstream writes the instruction, `<|endofprompt|>`, the tags and the text as one turn.
        """
        template = self._template
        instruction = self._llasa.encode(design.instruction, add_special_tokens=False).ids
        tags = [number for value in design.tags for number in template.tags[value]]
        ids = [*template.before, *instruction, *template.between, *tags, *self._sentence, *template.after]
        return np.array(ids, dtype=np.int32)


def _tokenizer(path: Path) -> Tokenizer:
    # The library raises nothing more special.
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise SettingsError(f"{path} is missing or no tokenizer: export the voice again") from error
