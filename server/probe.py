"""Asks a running server for a real synthesis."""

from __future__ import annotations

import http.client
import json
import queue
import time
from collections.abc import Callable
from typing import Any

from server.errors import ProbeFailed
from server.options import ServerAddress

Probe = Callable[[ServerAddress], None]

FRONT_DOOR = "tts"
TEXT = "你好。"
PATIENCE = 60.0  # seconds for the first synthesis, which may still allocate and compile


def is_alive(address: ServerAddress, name: str) -> bool:
    """Whether the server called ``name`` listens there and says that its models are loaded."""
    connection = http.client.HTTPConnection(address.host, address.http_port, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            return False
        connection.request("GET", "/v2")
        described = json.loads(connection.getresponse().read())
        return isinstance(described, dict) and described.get("name") == name
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def synthesize(address: ServerAddress) -> None:
    """Streams a short text through the front door and wants samples; without a front door, does nothing."""
    import tritonclient.grpc as grpc
    from tritonclient.utils import InferenceServerException

    client = grpc.InferenceServerClient(address.grpc)
    try:
        if not _is_served(client):
            return
        samples = _stream(client, grpc)
    except InferenceServerException as error:
        raise ProbeFailed(f"the server started, but a synthesis failed: {_sentence(error)}") from error
    finally:
        client.close()
    if samples == 0:
        raise ProbeFailed("the server started, but a synthesis gave no audio")


def _is_served(client: Any) -> bool:
    index = client.get_model_repository_index(client_timeout=10)
    return any(model.name == FRONT_DOOR and model.state == "READY" for model in index.models)


def _stream(client: Any, grpc: Any) -> int:
    import numpy

    answers: queue.Queue[tuple[Any, Exception | None]] = queue.Queue()
    text = grpc.InferInput("TEXT", [1], "BYTES")
    text.set_data_from_numpy(numpy.array([TEXT.encode()], dtype=object))
    samples = 0
    deadline = time.monotonic() + PATIENCE
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    try:
        client.async_stream_infer(FRONT_DOOR, [text], enable_empty_final_response=True)
        while True:
            try:
                result, error = answers.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise ProbeFailed(f"a synthesis did not end within {PATIENCE:.0f} s") from None
            if error is not None:
                raise error
            audio = result.as_numpy("AUDIO")
            samples += 0 if audio is None else int(audio.size)
            if result.get_response().parameters["triton_final_response"].bool_param:
                return samples
    finally:
        client.stop_stream(cancel_requests=True)


def _sentence(error: Any) -> str:
    message = error.message() if hasattr(error, "message") else str(error)
    return " ".join(str(message).split()) or type(error).__name__
