"""Model-to-model calls as Triton's Python backend makes them; what went wrong is told, not raised."""

from __future__ import annotations

import numpy as np
import triton_python_backend_utils as pb_utils
from request import Arrays


def infer(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> tuple[Arrays, str]:
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
