"""Serves models with ``backend: "language_model"``: ids → codes, for many requests at once.

Triton's Python backend loads this file for each instance of such a model.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnxruntime
import ort_options
import ort_session
import triton_python_backend_utils as pb_utils
from lm_desk import Ask, Desk
from lm_generation import RefusedError
from lm_graph import Graph
from lm_sampling import sampler
from lm_scheduler import Scheduler
from lm_settings import Settings
from ort_checks import ConfigError
from ort_heap import Heap

_NUMBERS = ("seed", "least", "most", "every", "abort")
_COUNTERS = {
    "batches": "Runs that computed prompts",
    "prompts": "Prompts computed",
    "steps": "Steps, each of which drew a code for all its rows",
    "rows": "Rows of all steps",
    "codes": "Codes drawn",
}
_CODES = {"INVALID_ARGUMENT": "INVALID_ARG"}


class TritonPythonModel:
    """See docs/architecture.md for the tensors."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the graph. Raises where it is missing, or not what the config says."""
        onnxruntime.disable_telemetry_events()
        config = json.loads(args["model_config"])
        try:
            settings = Settings.parse(ort_options.parameters(config))
            session = ort_session.load(config, args, pb_utils.Logger.log_warn)
            graph = Graph(session, settings, ort_options.run_options(config))
        except ConfigError as error:
            raise pb_utils.TritonModelException(str(error)) from None
        self._scheduler = Scheduler(graph, settings, sampler(settings.sampler, settings.codes))
        self._desk = Desk(self._scheduler, settings)
        self._families = {
            name: pb_utils.MetricFamily(
                name=f"tts_language_model_{name}_total", description=description, kind=pb_utils.MetricFamily.COUNTER
            )
            for name, description in _COUNTERS.items()
        }
        self._heap = Heap()
        self._labels = {"model": args["model_name"]}
        self._metrics: dict[str, Any] = {}

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer at once: with what there is."""
        responses = [self._answer(request) for request in requests]
        self._tell()
        return responses

    def finalize(self) -> None:
        """End the scheduler's thread."""
        self._scheduler.close()
        self._heap.close()

    def _answer(self, request: Any) -> Any:
        tensors = {tensor.name(): tensor.as_numpy() for tensor in request.inputs()}
        numbers = {name: int(tensors[name][0]) for name in _NUMBERS if name in tensors}
        prompt = tensors["prompt"].tolist() if "prompt" in tensors else None
        try:
            key = tensors["key"][0].decode("utf-8", errors="replace")
            codes, end = self._desk.answer(Ask(key, prompt, **numbers))
        except RefusedError as error:
            # Triton drops an error's code on its way from model to model, so its name stands before the message.
            code = getattr(pb_utils.TritonError, _CODES.get(error.status, error.status))
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{error.status}: {error}", code))
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("tokens", np.array(codes, dtype=np.int32)),
                pb_utils.Tensor("end", np.array([end.encode()], dtype=np.object_)),
            ]
        )

    def _tell(self) -> None:
        """Pass on what was computed. From this thread alone: Triton 2.51 crashes where two touch metrics at once."""
        tally = self._scheduler.tally()
        if tally.steps:
            self._heap.used()
        for name, value in vars(tally).items():
            if name not in self._metrics:
                self._metrics[name] = self._families[name].Metric(labels=self._labels)
            if value:
                self._metrics[name].increment(value)
