"""Triton model `postprocess`: vocoder output → PCM, sample rate and events."""

from __future__ import annotations

from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from waveform import finish


class TritonPythonModel:
    """See docs/architecture.md for the tensors."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Finish each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        audio, timings, energy = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy() for name in ("audio", "timings", "energy")
        )
        pcm, rate, events = finish(
            audio, [text.decode("utf-8") for text in timings[:, 0]], [float(gain) for gain in energy[:, 0]]
        )
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("AUDIO", pcm),
                pb_utils.Tensor("SAMPLE_RATE", np.array([rate], dtype=np.int32)),
                pb_utils.Tensor("EVENTS", np.array([events], dtype=np.object_)),
            ]
        )
