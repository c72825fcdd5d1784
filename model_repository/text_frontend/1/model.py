"""Triton model `text_frontend`: text and controls → a plan of blocks, or clauses of linguistic units.

A request that is wrong is answered by an error, or, if the caller asks for the output `problem`, by a description
there: Triton drops the code of an error that passes from model to model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from block import BlockError
from controls import ControlError
from dictionary import DictionaryError
from mandarin import SymbolError, TextError
from markup import MarkupError
from speaking import DEFAULT_VOICE, Ask, Speaking
from units import Batch
from voice_file import BrokenVoiceError, UnknownVoiceError

# Names of the codes in `pb_utils.TritonError`, which is not there yet when this file is loaded.
_CODES: dict[type[Exception], str] = {
    UnknownVoiceError: "NOT_FOUND",
    BrokenVoiceError: "UNAVAILABLE",
    TextError: "INVALID_ARG",
    ControlError: "INVALID_ARG",
    MarkupError: "INVALID_ARG",
    DictionaryError: "INVALID_ARG",
    BlockError: "INVALID_ARG",
    SymbolError: "INVALID_ARG",
}
_REFUSALS = tuple(_CODES)


class TritonPythonModel:
    """See docs/architecture.md for the tensors."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load dictionaries."""
        self._speaking = Speaking(Path(args["model_repository"]).parent)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request on its own."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        wanted = request.requested_output_names()
        try:
            tensors = self._tensors(request, wanted)
        except _REFUSALS as error:
            code = next(name for kind, name in _CODES.items() if isinstance(error, kind))
            # Messages quote the request, whatever it has: they are one line all the same.
            message = " ".join(str(error).split())
            if "problem" not in wanted:
                triton_error = pb_utils.TritonError(message, getattr(pb_utils.TritonError, code))
                return pb_utils.InferenceResponse(error=triton_error)
            # `text` tells a text without anything to say from a request that is wrong whatever its text.
            problem = {"code": code, "message": message, "text": isinstance(error, TextError)}
            return pb_utils.InferenceResponse([_strings("problem", [json.dumps(problem, ensure_ascii=False)])])
        return pb_utils.InferenceResponse([*tensors, _strings("problem", [""])] if "problem" in wanted else tensors)

    def _tensors(self, request: Any, wanted: list[str]) -> list[Any]:
        block = _text(request, "block")
        if block is not None and "reading" in wanted:
            return [_strings("reading", [self._speaking.reading(block)])]
        if block is not None:
            style = pb_utils.get_input_tensor_by_name(request, "style")
            return _units(self._speaking.block(block, None if style is None else style.as_numpy().tolist()))
        ask = _ask(request)
        if "plan" in wanted:
            plan = self._speaking.plan(ask)
            # Most texts are of one block, which then needs no call of its own.
            units = _units(self._speaking.block(plan[0], None)) if "units" in wanted and len(plan) == 1 else []
            return [_strings("plan", plan), *units]
        return _units(self._speaking.whole(ask))


def _ask(request: Any) -> Ask:
    controls = {name: _number(request, name.upper()) for name in ("speed", "pitch", "energy")}
    return Ask(
        text=_text(request, "TEXT") or "",
        voice=_text(request, "VOICE") or DEFAULT_VOICE,
        speaker=_text(request, "SPEAKER"),
        emotion=_text(request, "EMOTION"),
        controls={name: value for name, value in controls.items() if value is not None},
        dictionary=_text(request, "DICTIONARY") or "",
    )


def _units(made: Batch) -> list[Any]:
    return [
        pb_utils.Tensor("units", made.units),
        pb_utils.Tensor("unit_lengths", made.lengths),
        *(pb_utils.Tensor(name, values) for name, values in made.controls.items()),
        pb_utils.Tensor("clauses", np.array(made.clauses, dtype=np.object_)[:, None]),
    ]


def _strings(name: str, texts: list[str]) -> Any:
    return pb_utils.Tensor(name, np.array(texts, dtype=np.object_))


def _text(request: Any, name: str) -> str | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    if tensor is None:
        return None
    try:
        text: str = tensor.as_numpy()[0].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ControlError(f"{name} is not valid UTF-8 (byte {error.start}): send it as UTF-8") from error
    return text


def _number(request: Any, name: str) -> float | None:
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else float(tensor.as_numpy()[0])
