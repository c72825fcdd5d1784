"""Serves models with ``backend: "voice_design"``: an instruction → what a voice is prompted by.

Triton's Python backend loads this file for each instance of such a model.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from design_batch import Answer, Ask, Desk
from design_calls import infer
from design_chain import Designer, Prompt
from design_errors import FailedDesignError, SettingsError
from design_prompt import Prompts
from design_request import parse
from design_settings import FILE_NAME, Settings


class TritonPythonModel:
    """See docs/voice-sculptor.md for the tensors."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the settings and the tokenizers. Raises where they are missing or damaged."""
        folder = Path(args["model_repository"], args["model_version"])
        try:
            self._settings = Settings.read(folder / FILE_NAME)
            prompts = Prompts(self._settings, folder)
        except SettingsError as error:
            raise pb_utils.TritonModelException(str(error)) from error
        self._designer = Designer(self._settings, prompts, infer)
        self._desk = Desk(self._make, max(1, int(json.loads(args["model_config"])["max_batch_size"])))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer requests of one design each, side by side."""
        asks = [_ask(request) for request in requests]
        answers = iter(self._desk.answer([ask for ask in asks if ask is not None]))
        return [_several() if ask is None else _response(next(answers)) for ask in asks]

    def finalize(self) -> None:
        """Let the designs in work end."""
        self._desk.close()

    def _make(self, ask: Ask) -> Prompt:
        settings = self._settings
        design = parse(ask.instruction, ask.attributes, ask.seed, settings.attributes, settings.most_characters)
        return self._designer.design(design)


def _ask(request: Any) -> Ask | None:
    """The request's design; None where it has several, whose answers would not be equally long."""
    tensors = [pb_utils.get_input_tensor_by_name(request, name) for name in ("instruction", "attributes", "seed")]
    instruction, attributes, seed = (tensor.as_numpy() for tensor in tensors)
    return Ask(instruction[0, 0], attributes[0, 0], int(seed[0, 0])) if instruction.shape == (1, 1) else None


def _response(answer: Answer | Exception) -> Any:
    if isinstance(answer, Exception):
        # Triton drops an error's code on its way from model to model; a defect is told with its kind.
        message = str(answer) if isinstance(answer, FailedDesignError) else f"designing failed: {answer!r}"
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, pb_utils.TritonError.INTERNAL))
    outputs = {
        "speech_tokens": answer.prompt.speech_tokens,
        "prompt_mel": answer.prompt.prompt_mel,
        "xvector": answer.prompt.xvector,
        "prompt_text": answer.prompt.prompt_text,
        "problem": np.array([answer.problem.encode("utf-8")], dtype=np.object_),
    }
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, value[None]) for name, value in outputs.items()])


def _several() -> Any:
    error = pb_utils.TritonError("send one instruction in a request", pb_utils.TritonError.INVALID_ARG)
    return pb_utils.InferenceResponse(error=error)
