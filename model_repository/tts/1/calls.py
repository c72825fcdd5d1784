"""Inferences on the other models of this server, by Triton's model-to-model calls."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import triton_python_backend_utils as pb_utils
from errors import StageError, UnavailableError
from request import Arrays

# What Triton says of a model whose process has died, and of one that is not loaded.
_DEAD = re.compile(r"Stub process .* is not healthy|Failed to process the request\(s\) .*Stub process", re.DOTALL)
_ABSENT = re.compile(r"is not ready|has no available versions|is not found|unknown model", re.IGNORECASE)
# What it says to everybody once it has been told to stop.
_STOPPING = re.compile(r"Server not ready|server is stopping", re.IGNORECASE)


class Caller:
    """Calls models; `revive` brings a model back that a call, begun at a time by `clock`, has found dead, or raises.

    `check` is asked before each call and raises when the request is to end.
    """

    def __init__(
        self,
        revive: Callable[[str, float, Callable[[], None]], None],
        clock: Callable[[], float],
        check: Callable[[], None],
    ) -> None:
        self._revive = revive
        self._clock = clock
        self._check = check

    def __call__(self, model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Arrays:
        """One inference; tried once more where the model had to be brought back.

        Raises `StageError`, `UnavailableError` and what `revive` and `check` raise.
        """
        self._check()
        begin = self._clock()
        answer, problem = _infer(model, inputs, outputs)
        if problem and (_DEAD.search(problem) or _ABSENT.search(problem)):
            self._revive(model, begin, self._check)
            answer, problem = _infer(model, inputs, outputs)
        if _STOPPING.search(problem):
            raise UnavailableError("the server is stopping: try again when it is back")
        if problem:
            raise StageError(f"{model}: {problem}")
        return answer


def _infer(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> tuple[Arrays, str]:
    """The outputs, or what went wrong."""
    request = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(outputs),
    )
    try:
        response = request.exec()
    except pb_utils.TritonModelException as error:
        return {}, str(error) or "no reason given"
    if response.has_error():
        return {}, response.error().message() or "no reason given"
    tensors = {name: pb_utils.get_output_tensor_by_name(response, name) for name in outputs}
    return {name: tensor.as_numpy() for name, tensor in tensors.items() if tensor is not None}, ""
