"""Serves models with ``backend: "onnxruntime"`` where the container's C++ backend is not at hand.

Triton's Python backend loads this file for each instance of such a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnxruntime
import ort_openvino
import ort_options
import triton_python_backend_utils as pb_utils
from ort_batch import Arrays, Job, Refused, Runner
from ort_checks import ConfigError, check
from ort_heap import Heap


class TritonPythonModel:
    """One instance of one ONNX model."""

    def initialize(self, args: dict[str, str]) -> None:
        onnxruntime.disable_telemetry_events()
        config = json.loads(args["model_config"])
        path = Path(
            args["model_repository"],
            args["model_version"],
            config.get("default_model_filename") or "model.onnx",
        )
        try:
            session = self._load(path, config, args)
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

    def _load(self, path: Path, config: dict[str, Any], args: dict[str, str]) -> Any:
        if not path.is_file():
            raise ConfigError(f"the model file {path} does not exist: export the voice first")
        available = onnxruntime.get_available_providers()
        kind, device = args["model_instance_kind"], int(args["model_instance_device_id"])
        options = ort_options.session_options(config)
        if ort_openvino.wanted(config, kind, available):
            with _told(path):
                return ort_openvino.Session(path, options.intra_op_num_threads)
        chosen = ort_options.providers(config, kind, device, available, pb_utils.Logger.log_warn)
        with _told(path):
            session = onnxruntime.InferenceSession(str(path), options, providers=chosen)
        missing = [name for name, _ in chosen if name not in session.get_providers()]
        if missing:
            raise ConfigError(
                f"{', '.join(missing)} could not be started on device {device}: see the log for the cause"
            )
        return session


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a model file becomes one sentence: a ConfigError."""
    try:
        yield
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(f"the model file {path} could not be loaded: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split())
    if re.search("Protobuf parsing failed|No graph was found|does not have a graph|Unable to read the model", message):
        return "it is corrupt or incomplete, export it again"
    return re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (Load model from \S+ failed:)?", "", message)


def _response(result: Arrays | Exception) -> Any:
    if isinstance(result, Exception):
        code = pb_utils.TritonError.INVALID_ARG if isinstance(result, Refused) else pb_utils.TritonError.INTERNAL
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(result), code))
    return pb_utils.InferenceResponse([pb_utils.Tensor(name, value) for name, value in result.items()])
