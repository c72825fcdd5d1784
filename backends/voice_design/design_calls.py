"""Inferences on the other models of this server, by Triton's model-to-model calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils
from design_chain import Arrays
from design_errors import FailedDesignError
from design_prompt import Ids
from design_settings import Model


def infer(model: Model, inputs: Arrays) -> list[npt.NDArray[Any]]:
    """One inference; the outputs in the order of the model's settings. Raises `FailedDesignError`."""
    response = _request(model, inputs, model.outputs).exec()
    _check(model, response)
    return [pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in model.outputs]


def generate(model: Model, inputs: Arrays) -> Iterator[tuple[Ids, str]]:
    """The answers of a language model as they come: new codes, and the reason for the end in the last one.

    Raises `FailedDesignError`. Read it to its end: Triton keeps what nobody takes.
    """
    key = np.array([uuid4().hex.encode()], dtype=np.object_)
    failure: FailedDesignError | None = None
    for response in _request(model, {"key": key, **inputs}, ("tokens", "end")).exec(decoupled=True):
        try:
            _check(model, response)
        except FailedDesignError as error:
            failure = failure or error
            continue
        if response.output_tensors():
            tokens, end = (pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in ("tokens", "end"))
            yield tokens, end[0].decode("utf-8")
    if failure is not None:
        raise failure


def _request(model: Model, inputs: Arrays, outputs: tuple[str, ...]) -> Any:
    return pb_utils.InferenceRequest(
        model_name=model.name,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(outputs),
    )


def _check(model: Model, response: Any) -> None:
    if response.has_error():
        reason = " ".join(response.error().message().split()) or "no reason given"
        raise FailedDesignError(f"{model.name}: {reason}")
