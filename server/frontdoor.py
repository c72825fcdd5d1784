"""One request to the front door, and what its answer says about the server's health."""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import grpc
from tritonclient.grpc import service_pb2

from server import stubs
from server.control import connected
from server.options import ServerAddress

FRONT_DOOR = "tts"
UNSAYABLE = "…"  # passes the front door and the text front end, and no voice
LOOK = 0.2  # seconds between two looks aside while an answer is awaited
_STATUS = re.compile(r"([A-Z][A-Z_]+): (.*)", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What came of a request: samples, or an error. ``by_server`` is False when the connection itself failed."""

    samples: int = 0
    status: str = ""
    message: str = ""
    by_server: bool = True


class Health(Enum):
    """What an answer says about the service."""

    WELL = "well"  # it spoke, or found fault with the request
    FULL = "full"  # it takes no more work for now
    BUSY = "busy"  # no answer in time, which may be a queue
    ILL = "ill"


@dataclass(frozen=True)
class Verdict:
    """How the service is, why, and the model that the error names."""

    health: Health
    reason: str = ""
    model: str | None = None

    @property
    def fine(self) -> bool:
        """Whether nothing is wrong with the service: one that is full would not have more room after a restart."""
        return self.health in (Health.WELL, Health.FULL)


def ask(
    address: ServerAddress,
    text: str,
    voice: str | None = None,
    limit: float = 60.0,
    look: Callable[[], None] = lambda: None,
    model: str = FRONT_DOOR,
) -> Answer:
    """Has a text spoken. ``look`` is called while the answer is awaited, and what it raises ends the request."""
    results: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
    with connected(address) as stub:
        call = stub.ModelStreamInfer(iter([_message(model, text, voice, limit)]), timeout=limit)
        reader = threading.Thread(target=_read, args=(call, results), daemon=True)
        reader.start()
        try:
            samples = 0
            while True:
                try:
                    result = results.get(timeout=LOOK)
                except queue.Empty:
                    look()
                    continue
                if result is None:
                    return Answer(samples)
                if result.message:
                    # To cancel a stream that is about to end is what makes Triton 2.51 abort.
                    reader.join(1.0)
                    return result
                samples += result.samples
        finally:
            call.cancel()
            reader.join(1.0)


def judge(answer: Answer, models: Iterable[str]) -> Verdict:
    """What an answer says about the service."""
    if answer.status == "DEADLINE_EXCEEDED":
        return Verdict(Health.BUSY, "a short text was not spoken in time")
    if answer.status in ("INVALID_ARGUMENT", "NOT_FOUND"):
        return Verdict(Health.WELL, answer.message)
    if answer.status == "UNAVAILABLE" and answer.by_server and "restarting" not in answer.message:
        return Verdict(Health.FULL, answer.message)
    if answer.message:
        return Verdict(Health.ILL, answer.message, stubs.model_of(answer.message, models))
    if not answer.samples:
        return Verdict(Health.ILL, "a synthesis gave no audio")
    return Verdict(Health.WELL)


def _message(model: str, text: str, voice: str | None, limit: float) -> Any:
    message = service_pb2.ModelInferRequest(model_name=model)
    for name, value in (("TEXT", text), ("VOICE", voice)):
        if value is not None:
            tensor = message.inputs.add(name=name, datatype="BYTES", shape=[1])
            tensor.contents.bytes_contents.append(value.encode())
    message.parameters["timeout"].int64_param = int(limit * 1e6)
    return message


def _read(call: Any, results: queue.SimpleQueue[Answer | None]) -> None:
    """Turns the responses of a stream into answers, an error into the last one; None ends a stream without error."""
    try:
        for response in call:
            if response.error_message:
                results.put(_error(response.error_message))
            else:
                results.put(Answer(samples=_samples(response.infer_response)))
        results.put(None)
    except grpc.RpcError as error:
        results.put(Answer(0, error.code().name, _line(error.details() or error.code().name), by_server=False))


def _samples(response: Any) -> int:
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=False):
        if output.name == "AUDIO":
            return len(raw) // 2
    return 0


def _error(message: str) -> Answer:
    """The error of a stream: a response carries no status, so the front door writes it before the message."""
    match = _STATUS.match(message)
    status, rest = match.groups() if match else ("INTERNAL", message)
    return Answer(0, status, _line(rest) or status)


def _line(message: str) -> str:
    return " ".join(message.split())
