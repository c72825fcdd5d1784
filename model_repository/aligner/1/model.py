"""Triton model `aligner`: durations → alignment, frame lengths and timings."""

from __future__ import annotations

from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from alignment import align


class TritonPythonModel:
    """See docs/architecture.md for the tensors."""

    def execute(self, requests: list[Any]) -> list[Any]:
        """Align each request on its own: its frame axis is as long as its own longest clause needs."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        durations, unit_lengths, speed, clauses = (
            pb_utils.get_input_tensor_by_name(request, name).as_numpy()
            for name in ("durations", "unit_lengths", "speed", "clauses")
        )
        try:
            rows, lengths, timings = align(
                durations, unit_lengths[:, 0], speed[:, 0], [text.decode("utf-8") for text in clauses[:, 0]]
            )
        except ValueError as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), pb_utils.TritonError.INTERNAL))
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("alignment", rows),
                pb_utils.Tensor("frame_lengths", lengths[:, None]),
                pb_utils.Tensor("timings", np.array(timings, dtype=np.object_)[:, None]),
            ]
        )
