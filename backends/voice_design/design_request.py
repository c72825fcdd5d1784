"""What a request asks for: an instruction, attributes and a seed, checked."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from design_errors import RefusedDesignError

# Han characters with their extensions, after NFKC has replaced the compatibility forms.
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U000323af]")
# NFKC makes half-width what Chinese writes in full width, and what the language model was trained on: back again,
# unless it stands between letters or digits of ASCII (10:30). Full width has its space in itself.
_NARROW = re.compile(r"(?<![0-9A-Za-z])[,:;!?()] ?|[,:;!?()](?! ?[0-9A-Za-z]) ?")
_WIDTH = 0xFEE0
# Control, format, surrogate, private and unassigned characters: nothing that could be read out or understood.
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn"}


@dataclass(frozen=True)
class Design:
    """A design that can be made; `tags` are the chosen values of the attributes in the order of their tables."""

    instruction: str
    tags: tuple[str, ...]
    seed: int


def parse(
    instruction: bytes, attributes: bytes, seed: int, tables: Mapping[str, Sequence[str]], most_characters: int
) -> Design:
    """The design that the inputs of a request ask for. Raises `RefusedDesignError`."""
    return Design(
        clean(_text(instruction, "instruction"), most_characters),
        chosen(_text(attributes, "attributes"), tables),
        seed,
    )


def clean(asked: str, most_characters: int) -> str:
    """An instruction in its one form: NFKC, single spaces, nothing invisible, Chinese punctuation in full width.

    Raises `RefusedDesignError` for one that is empty, too long or has nothing Chinese.
    """
    folded = " ".join(unicodedata.normalize("NFKC", asked).split())
    seen = "".join(character for character in folded if unicodedata.category(character) not in _UNSEEN)
    text = " ".join(seen.split())
    if not text:
        raise RefusedDesignError("the instruction is empty: describe the voice, or leave the style out")
    if len(text) > most_characters:
        raise RefusedDesignError(
            f"the instruction has {len(text)} characters, the most is {most_characters}: describe it shorter"
        )
    if not _CHINESE.search(text):
        raise RefusedDesignError(
            f"the instruction '{text[:40]}' has no Chinese character: this voice understands Chinese only"
        )
    return _NARROW.sub(lambda match: chr(ord(match[0][0]) + _WIDTH), text)


def chosen(attributes: str, tables: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The values that a JSON object {attribute: value} names, in the order of the tables; "" is no attribute.

    Raises `RefusedDesignError` for what the tables do not have.
    """
    try:
        asked: Any = json.loads(attributes or "{}")
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise RefusedDesignError('the attributes are no JSON object: send {"gender": "女性"}, or {} for none')
    for name, value in asked.items():
        if name not in tables:
            raise RefusedDesignError(f"there is no attribute '{name[:40]}': it must be one of {', '.join(tables)}")
        if value not in tables[name]:
            raise RefusedDesignError(
                f"the attribute {name} cannot be '{str(value)[:40]}': it must be one of {', '.join(tables[name])}"
            )
    return tuple(asked[name] for name in tables if name in asked)


def _text(value: bytes, what: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RefusedDesignError(f"the {what} is not valid UTF-8 (byte {error.start}): send it as UTF-8") from error
