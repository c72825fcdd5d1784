"""Inferences on the other models of this server, by Triton's model-to-model calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils
from design_errors import FailedDesignError
from design_settings import Arrays, Model


def infer(model: Model, inputs: Arrays) -> list[npt.NDArray[Any]]:
    """One inference; the outputs in the order of the model's settings. Raises `FailedDesignError`."""
    request = pb_utils.InferenceRequest(
        model_name=model.name,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(model.outputs),
    )
    response = request.exec()
    if response.has_error():
        reason = " ".join(response.error().message().split()) or "no reason given"
        raise FailedDesignError(f"{model.name}: {reason}")
    return [pb_utils.get_output_tensor_by_name(response, name).as_numpy() for name in model.outputs]
