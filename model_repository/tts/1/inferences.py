"""Model-to-model calls as Triton's Python backend makes them; what went wrong is told, not raised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import triton_python_backend_utils as pb_utils
from request import Arrays


def infer(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> tuple[Arrays, str]:
    """The outputs, or what went wrong."""
    try:
        return _read(_request(model, inputs, outputs).exec(), outputs)
    except pb_utils.TritonModelException as error:
        return {}, str(error) or "no reason given"


def respond(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Iterator[tuple[Arrays, str]]:
    """The outputs of each response of a decoupled model, or what went wrong, which ends them.

    To be iterated to its end: Triton 2.51 is not known to let go of a stream that is left before.
    """
    try:
        for response in _request(model, inputs, outputs).exec(decoupled=True):
            # The last response of a stream may be empty.
            if response.has_error() or response.output_tensors():
                yield _read(response, outputs)
    except pb_utils.TritonModelException as error:
        yield {}, str(error) or "no reason given"


def _request(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> pb_utils.InferenceRequest:
    return pb_utils.InferenceRequest(
        model_name=model,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(outputs),
    )


def _read(response: pb_utils.InferenceResponse, outputs: tuple[str, ...]) -> tuple[Arrays, str]:
    if response.has_error():
        return {}, response.error().message() or "no reason given"
    tensors = {name: pb_utils.get_output_tensor_by_name(response, name) for name in outputs}
    return {name: tensor.as_numpy() for name, tensor in tensors.items() if tensor is not None}, ""
