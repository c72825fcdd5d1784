"""Serves models with ``backend: "onnxruntime"`` where the container's C++ backend is not at hand.

Triton's Python backend loads this file for each instance of such a model.
"""

from __future__ import annotations

import json
from typing import Any

import onnxruntime
import ort_options
import ort_session
import triton_python_backend_utils as pb_utils
from ort_batch import Arrays, Job, Refused, Runner
from ort_checks import ConfigError, check
from ort_heap import Heap


class TritonPythonModel:
    """One instance of one ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        onnxruntime.disable_telemetry_events()
        config = json.loads(args["model_config"])
        try:
            session = ort_session.load(config, args, pb_utils.Logger.log_warn)
            signature = check(config, session.get_inputs(), session.get_outputs())
        except ConfigError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self.runner = Runner(session, signature, ort_options.run_options(config))
        self.heap = Heap()

    def execute(self, requests: list[Any]) -> list[Any]:
        jobs = [
            Job(
                {tensor.name(): tensor.as_numpy() for tensor in request.inputs()},
                tuple(request.requested_output_names()),
            )
            for request in requests
        ]
        responses = [_response(result) for result in self.runner.answer(jobs)]
        self.heap.used()
        return responses

    def finalize(self) -> None:
        self.heap.close()


def _response(result: Arrays | Exception) -> Any:
    if isinstance(result, Exception):
        code = pb_utils.TritonError.INVALID_ARG if isinstance(result, Refused) else pb_utils.TritonError.INTERNAL
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(result), code))
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in result.items()])
