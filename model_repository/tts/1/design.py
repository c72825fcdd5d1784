"""What a designed voice is asked to sound like, and what its language model and flow are prompted by for that."""

from __future__ import annotations

import json
import random
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import styles
from errors import RefusedError, RequestError, StageError
from request import Arrays
from stages import Models

_KEPT_VARIANTS = 4
_NEW_VARIANT = 40
_OUTPUTS = ("speech_tokens", "prompt_mel", "xvector", "prompt_text", "problem")


@dataclass(frozen=True)
class Design:
    """An instruction in words, attributes as JSON, and a seed: the same ones are the same voice."""

    instruction: str
    attributes: str
    seed: int


@dataclass(frozen=True)
class Prompt:
    """What a design came to: `codes` [P] of a sentence that was spoken so, its mel [P·frames per token, bands], the
    speaker's `xvector` [S], and the ids of the sentence's `text` [K]."""

    codes: npt.NDArray[np.int32]
    mel: npt.NDArray[np.float32]
    xvector: npt.NDArray[np.float32]
    text: npt.NDArray[np.int32]


def design(
    block: Mapping[str, Any], style: str | None, presets: Mapping[str, str], attributes: Mapping[str, str], seed: int
) -> tuple[Design, list[dict[str, str]]]:
    """What a block's voice is to be like, and what to tell about it. Raises `RequestError`.

    `style` names a preset or is an instruction; `attributes` are the request's. The emotion of the block comes first.
    """
    known = block["design"]
    chosen = check_attributes(attributes, known["attributes"])
    notices = []
    emotion = block["manner"]["emotion"]
    if emotion:
        tag = known["tag_of_emotion"].get(emotion)
        if chosen.get("emotion", tag) != tag:
            message = f"the emotion '{emotion}' was asked for, too: it was taken instead of '{chosen['emotion']}'"
            notices.append({"kind": "style", "text": f"emotion {chosen['emotion']}", "message": message})
        chosen.pop("emotion", None)
        chosen |= {"emotion": tag} if tag else {}
    instruction = known["instruction"] if style is None else _instruction(style, presets, int(known["max_instruction"]))
    return Design(instruction, canonical(chosen), seed), notices


def canonical(attributes: Mapping[str, str]) -> str:
    """Attributes as the design stage takes them: the same ones are the same text, so that its answer can be cached."""
    return json.dumps(attributes, ensure_ascii=False, sort_keys=True)


def check_attributes(asked: Mapping[str, str], known: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """The attributes by the values of the voice's tables; 很快 will do for 语速很快. Raises `RequestError`."""
    chosen: dict[str, str] = {}
    for name, value in asked.items():
        if name not in known:
            raise RequestError(f"attribute '{name[:40]}' is not known; it must be one of {', '.join(known)}")
        meant = [entry for entry in known[name] if entry == value] or [
            entry for entry in known[name] if value and entry.endswith(value)
        ]
        if len(meant) != 1:
            choices = ", ".join(known[name])
            raise RequestError(f"attribute {name} '{value[:40]}' is not known; it must be one of {choices}")
        chosen[name] = meant[0]
    return chosen


def ask(models: Models, model: str, wanted: Design, frames_per_token: int) -> Prompt:
    """Have the stage `model` design. Raises `RefusedError` for what it refuses, `StageError` for what is no prompt."""
    answer: Arrays = {}
    for blanks in _variants():
        inputs: Arrays = {
            "instruction": _string(wanted.instruction),
            "attributes": _string(wanted.attributes + blanks),
            "seed": np.array([[wanted.seed]], dtype=np.int32),
        }
        answer = models(model, inputs, _OUTPUTS)
        if answer:
            break
    else:
        raise StageError(f"{model} gave no answer: try again")
    problem = answer["problem"].ravel()[0]
    if problem:
        told = json.loads(problem)
        raise RefusedError(str(told["message"]), str(told["code"]))
    prompt = Prompt(
        answer["speech_tokens"][0].astype(np.int32),
        answer["prompt_mel"][0],
        answer["xvector"][0],
        answer["prompt_text"][0].astype(np.int32),
    )
    sound = np.isfinite(prompt.mel).all() and np.isfinite(prompt.xvector).all()
    if not prompt.codes.size or len(prompt.mel) != frames_per_token * prompt.codes.size or not sound:
        raise StageError(f"{model} designed nothing that can be spoken with: ask with another style or SEED")
    return prompt


def _instruction(asked: str, presets: Mapping[str, str], most: int) -> str:
    """The instruction that a style stands for. Raises `RequestError`."""
    preset = presets.get(styles.normal(asked))
    if preset is not None:
        return preset
    # The language model knows Chinese punctuation, which a stronger normal form would replace.
    style = " ".join(unicodedata.normalize("NFC", asked).split())
    if not style:
        raise RequestError(styles.EMPTY)
    if len(style) > most:
        raise RequestError(f"style has {len(style)} characters, this voice takes {most}: describe it shorter")
    return style


def _variants() -> Iterator[str]:
    """Blanks that make the same question another one.

    Triton 2.51 keeps a failure in its response cache, too: whoever asks the same again gets an answer without outputs,
    also when what failed is well. A few questions are the same each time, so that their answers are found; the last is
    new each time.
    """
    for count in range(_KEPT_VARIANTS):
        yield " " * count
    yield "".join(random.choices(" \t", k=_NEW_VARIANT))


def _string(text: str) -> npt.NDArray[Any]:
    return np.array([[text.encode("utf-8")]], dtype=np.object_)
