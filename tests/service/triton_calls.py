"""Requests to Triton's models as the client library does not make them."""

from __future__ import annotations

import json
import queue
from dataclasses import dataclass
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient

_TYPES = {"FP32": np.float32, "BYTES": np.object_}


def tensor(name: str, value: Any) -> grpcclient.InferInput:
    """A one-element input: text, bytes or a number."""
    kind = "FP32" if isinstance(value, float) else "BYTES"
    data = value.encode() if isinstance(value, str) else value
    made = grpcclient.InferInput(name, [1], kind)
    made.set_data_from_numpy(np.array([data], dtype=_TYPES[kind]))
    return made


@dataclass(frozen=True)
class Answer:
    """What the ensemble gave: PCM int16, its sample rate and the decoded events."""

    audio: np.ndarray
    rate: int
    events: dict[str, Any]


class Triton:
    """Requests straight to a model, without the client library."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.client = grpcclient.InferenceServerClient(address)

    def demo(self, **inputs: Any) -> Answer:
        """One request to the ensemble `demo`; keywords are its inputs."""
        return self.ensemble("demo", **inputs)

    def ensemble(self, voice: str, **inputs: Any) -> Answer:
        """One request to a voice's ensemble; keywords are its inputs."""
        result = self.client.infer(voice, [tensor(name, value) for name, value in inputs.items()])
        return Answer(
            result.as_numpy("AUDIO"), int(result.as_numpy("SAMPLE_RATE")[0]), json.loads(result.as_numpy("EVENTS")[0])
        )

    def stream(self, **inputs: Any) -> list[np.ndarray]:
        """One request to the router; the audio of each response. Raises what the stream's error says."""
        answers: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()
        self.client.start_stream(callback=lambda result, error: answers.put((result, error)))
        try:
            made = [tensor(name, value) for name, value in inputs.items()]
            self.client.async_stream_infer("tts", made, enable_empty_final_response=True)
            audio: list[np.ndarray] = []
            while True:
                result, error = answers.get(timeout=60)
                if error is not None:
                    raise error
                if result.get_response().parameters["triton_final_response"].bool_param:
                    return audio
                audio.append(result.as_numpy("AUDIO"))
        finally:
            self.client.stop_stream()

    def counts(self, model: str) -> tuple[int, int]:
        """Inferences and executions of a model so far."""
        (statistics,) = self.client.get_inference_statistics(model).model_stats
        return statistics.inference_count, statistics.execution_count
