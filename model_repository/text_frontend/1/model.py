"""Triton model `text_frontend`: text and controls → clauses of linguistic units.

A request that is wrong is answered by an error, or, if the caller asks for the output `problem`, by a description
there: Triton drops the code of an error that passes from model to model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from controls import ControlError, resolve
from mandarin import Frontend, TextError
from units import batch, unit_encoder
from voice_file import BrokenVoiceError, UnknownVoiceError, VoiceShelf

DEFAULT_VOICE = "demo"
MAX_TEXT = 60_000

# Names of the codes in `pb_utils.TritonError`, which is not there yet when this file is loaded.
_CODES: dict[type[Exception], str] = {
    UnknownVoiceError: "NOT_FOUND",
    BrokenVoiceError: "UNAVAILABLE",
    TextError: "INVALID_ARG",
    ControlError: "INVALID_ARG",
}


class TritonPythonModel:
    """See docs/architecture.md for the tensors."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load dictionaries."""
        self._shelf = VoiceShelf(Path(args["model_repository"]).parent)
        self._frontend = Frontend()

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request on its own."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        wants_problem = "problem" in request.requested_output_names()
        try:
            tensors = self._tensors(request, from_router=wants_problem)
        except (UnknownVoiceError, BrokenVoiceError, TextError, ControlError) as error:
            code = next(name for kind, name in _CODES.items() if isinstance(error, kind))
            if not wants_problem:
                triton_error = pb_utils.TritonError(str(error), getattr(pb_utils.TritonError, code))
                return pb_utils.InferenceResponse(error=triton_error)
            # `text` tells a text without anything to say from a request that is wrong whatever its text.
            problem = {"code": code, "message": str(error), "text": isinstance(error, TextError)}
            return pb_utils.InferenceResponse([_problem(json.dumps(problem, ensure_ascii=False))])
        return pb_utils.InferenceResponse([*tensors, _problem("")] if wants_problem else tensors)

    def _tensors(self, request: Any, *, from_router: bool) -> list[Any]:
        voice = self._shelf.get(_text(request, "VOICE") or DEFAULT_VOICE)
        names = ("speed", "pitch", "energy")
        controls, clamped = resolve({name: _number(request, name.upper()) for name in names}, voice.limits)
        _check_choice("speaker", _text(request, "SPEAKER"), voice.speakers)
        _check_choice("emotion", _text(request, "EMOTION"), voice.emotions)
        text = _text(request, "TEXT") or ""
        if len(text) > MAX_TEXT:
            raise ControlError(f"text has {len(text)} characters, the most is {MAX_TEXT}: send it in parts")
        encoder = unit_encoder(voice)
        analysis = self._frontend.analyze(text, unit_count=encoder.count, max_units=voice.max_units)
        if not from_router and len(analysis.clauses) > voice.max_clauses:
            raise ControlError(
                f"text has {len(analysis.clauses)} clauses, '{voice.name}' takes {voice.max_clauses} at once: "
                "send it to the model `tts`, which takes any number"
            )
        made = batch(analysis.clauses, encoder, voice, controls, [*clamped, *analysis.notices])
        each = np.ones((len(made.clauses), 1), dtype=np.float32)
        return [
            pb_utils.Tensor("units", made.units),
            pb_utils.Tensor("unit_lengths", made.lengths),
            pb_utils.Tensor("speed", each * np.float32(controls.speed)),
            pb_utils.Tensor("pitch", each * np.float32(controls.pitch)),
            pb_utils.Tensor("contour", each * np.float32(controls.contour)),
            pb_utils.Tensor("energy", each * np.float32(controls.energy)),
            pb_utils.Tensor("clauses", np.array(made.clauses, dtype=np.object_)[:, None]),
        ]


def _problem(text: str) -> Any:
    return pb_utils.Tensor("problem", np.array([text], dtype=np.object_))


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


def _check_choice(what: str, asked: str | None, known: tuple[str, ...]) -> None:
    if asked and asked not in known:
        choices = f"one of {', '.join(known)}" if known else "left out: this voice has only one"
        raise ControlError(f"{what} '{asked[:80]}' is not known; it must be {choices}")
