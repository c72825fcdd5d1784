"""Triton model `tts`, the front door: text of any length in, a stream of audio out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from synthesis import Arrays, Piece, RefusedError, RequestError, Synthesis, check_quality, check_text

# How many requests are worked on at once; the others wait for a thread.
WORKERS = 16
_PASSED_ON = ("VOICE", "SPEAKER", "EMOTION", "SPEED", "PITCH", "ENERGY")


class StageError(Exception):
    """A stage answered with an error."""


class TritonPythonModel:
    """See docs/architecture.md for the tensors. One response per clause."""

    def initialize(self, args: dict[str, str]) -> None:
        """Start the workers: a request waits for its stages, so that it may not hold up the next one."""
        self._workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="tts")

    def execute(self, requests: list[Any]) -> None:
        """Hand each request to a worker."""
        for request in requests:
            self._workers.submit(_answer, request)

    def finalize(self) -> None:
        """Let the requests in flight end."""
        self._workers.shutdown()


def _answer(request: Any) -> None:
    sender = request.get_response_sender()
    try:
        raw = pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy()[0]
        quality = pb_utils.get_input_tensor_by_name(request, "QUALITY")
        asked = None if quality is None else quality.as_numpy()[0].decode("utf-8", "replace")
        synthesis = Synthesis(_call, check_text(raw), check_quality(asked), _options(request))
        for piece in synthesis.pieces():
            if sender.is_cancelled():
                break
            sender.send(_response(piece))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
    except RequestError as error:
        _fail(sender, str(error), "INVALID_ARG")
    except RefusedError as error:
        _fail(sender, str(error), error.code)
    except StageError as error:
        _fail(sender, str(error), "INTERNAL")
    except Exception as error:  # a request must end, whatever happens to it: with an error that names the cause
        pb_utils.Logger.log_error(f"tts: {error!r}")
        _fail(sender, f"synthesis failed: {error!r}", "INTERNAL")


def _fail(sender: Any, message: str, code: str) -> None:
    """End a request with an error, `code` being a name in `TritonError`.

    A stream's response carries no status, so gRPC's name of it stands before the message as well.
    """
    status = {"INVALID_ARG": "INVALID_ARGUMENT"}.get(code, code)
    error = pb_utils.TritonError(f"{status}: {message}", getattr(pb_utils.TritonError, code))
    response = pb_utils.InferenceResponse(error=error)
    sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)


def _options(request: Any) -> Arrays:
    tensors = {name: pb_utils.get_input_tensor_by_name(request, name) for name in _PASSED_ON}
    return {name: tensor.as_numpy() for name, tensor in tensors.items() if tensor is not None}


def _call(model: str, inputs: Arrays, outputs: tuple[str, ...]) -> Arrays:
    """One inference on another model of this server."""
    response = pb_utils.InferenceRequest(
        model_name=model,
        inputs=[pb_utils.Tensor(name, np.ascontiguousarray(value)) for name, value in inputs.items()],
        requested_output_names=list(outputs),
    ).exec()
    if response.has_error():
        raise StageError(f"{model}: {response.error().message()}")
    tensors = {name: pb_utils.get_output_tensor_by_name(response, name) for name in outputs}
    return {name: tensor.as_numpy() for name, tensor in tensors.items() if tensor is not None}


def _response(piece: Piece) -> Any:
    return pb_utils.InferenceResponse(
        [
            pb_utils.Tensor("AUDIO", piece.audio),
            pb_utils.Tensor("SAMPLE_RATE", np.array([piece.sample_rate], dtype=np.int32)),
            pb_utils.Tensor("EVENTS", np.array([piece.events], dtype=np.object_)),
        ]
    )
