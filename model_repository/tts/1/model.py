"""Triton model `tts`, the front door: text of any length in, a stream of audio out."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from calls import Caller
from door import FrontDoor
from events import Piece
from http_control import ADDRESS_VARIABLE, DEFAULT_ADDRESS, HttpControl, read_token
from inferences import infer
from installed import hold, installed_voices
from pool import VoicePool
from readings import Sampler
from request import PASSED_ON
from settings import Settings
from span_export import URL_VARIABLE, SpanExporter
from telemetry import Telemetry
from tracing import Context, Trace
from vitals import Vitals

_INPUTS = ("TEXT", "QUALITY", "STYLE", "ATTRIBUTES", "SEED", *PASSED_ON)
# Called for every voice.
_SHARED = ("text_frontend", "aligner", "postprocess")
# Triton has no code of its own for these.
_CODES = {"INVALID_ARGUMENT": "INVALID_ARG", "DEADLINE_EXCEEDED": "UNAVAILABLE"}


class TritonPythonModel:
    """See docs/architecture.md for the tensors. One response per chunk of audio."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the settings and open the door. Raises when a setting is wrong."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        try:
            settings = Settings.parse({name: value["string_value"] for name, value in parameters.items()})
        except ValueError as error:
            raise pb_utils.TritonModelException(f"the config of tts: {error}") from error
        repository = Path(args["model_repository"]).parent
        try:
            self._held = hold(repository)
        except BlockingIOError as error:
            message = f"{repository} is being exported into: start the server when that is done"
            raise pb_utils.TritonModelException(message) from error
        telemetry = Telemetry(pb_utils.MetricFamily)
        address = os.environ.get(ADDRESS_VARIABLE, DEFAULT_ADDRESS)
        control = HttpControl(address, pb_utils.is_model_ready, read_token(os.environ))
        pool = VoicePool(control, settings, time.monotonic, telemetry)
        for voice, stages in installed_voices(repository).items():
            pool.adopt(voice, stages)
            telemetry.expect(f"{voice}_{stage}" for stage in stages)
        telemetry.expect(_SHARED)
        traces = os.environ.get(URL_VARIABLE)
        self._spans = SpanExporter(traces, pb_utils.Logger.log_warn) if traces else None
        self._door = FrontDoor(
            settings,
            pool,
            telemetry,
            partial(_caller, pool, Vitals(telemetry.unhealthy)),
            Sampler().read,
            pb_utils.Logger.log_warn,
            time.monotonic,
        )

    def execute(self, requests: list[Any]) -> None:
        """Hand each request to the door, which answers on threads of its own."""
        for request in requests:
            tensors = {name: pb_utils.get_input_tensor_by_name(request, name) for name in _INPUTS}
            inputs = {name: tensor.as_numpy() for name, tensor in tensors.items() if tensor is not None}
            parameters = json.loads(request.parameters() or "{}")
            answer = _Answer(request.get_response_sender())
            self._door.take(inputs, parameters, request.timeout() / 1e6, answer, self._trace(request))

    def finalize(self) -> None:
        """Let the requests in flight end."""
        self._door.close()
        if self._spans is not None:
            self._spans.close()
        os.close(self._held)

    def _trace(self, request: Any) -> Trace | None:
        """Where the spans of a request go, if it is one of those that Triton traces."""
        context = Context.read(request.trace().get_context()) if self._spans is not None else None
        return Trace(context, self._spans.add) if self._spans is not None and context is not None else None


def _caller(pool: VoicePool, vitals: Vitals, check: Callable[[], None]) -> Caller:
    return Caller(infer, pool.revive, time.monotonic, check, vitals)


class _Answer:
    """A request's responses, through its sender.

    The sender is let go with the last response. Triton 2.51 crashes when it is asked after that whether its request is
    cancelled, which another thread may be about to do, and unloads no model of which a sender still lives.
    """

    def __init__(self, sender: Any) -> None:
        self._sender = sender
        self._lock = Lock()

    def cancelled(self) -> bool:
        with self._lock:
            return self._sender is None or bool(self._sender.is_cancelled())

    def send(self, piece: Piece) -> None:
        self._sender.send(
            pb_utils.InferenceResponse(
                [
                    pb_utils.Tensor("AUDIO", piece.audio),
                    pb_utils.Tensor("SAMPLE_RATE", np.array([piece.sample_rate], dtype=np.int32)),
                    pb_utils.Tensor("EVENTS", np.array([piece.events], dtype=np.object_)),
                ]
            )
        )

    def end(self) -> None:
        with self._lock:
            self._sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            self._sender = None

    def fail(self, status: str, message: str) -> None:
        """A stream's response carries no status, so gRPC's name of it stands before the message."""
        code = getattr(pb_utils.TritonError, _CODES.get(status, status))
        response = pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{status}: {message}", code))
        with self._lock:
            self._sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
            self._sender = None
