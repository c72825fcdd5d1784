"""The front door's tensors: a request as a protobuf message, a response as a ``Chunk``."""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2

from ._errors import ProtocolError
from ._models import Chunk, Clause, Mark, Notice, Phone, Progress, Word
from ._request import Continuation, Request
from ._timeouts import Deadline

MODEL = "tts"
# Triton 2.51 keeps every response of a request until the last: after so much audio a new request asks for the rest.
PART_SECONDS = 300
_CODED = re.compile(r"(?P<code>[A-Z_]+): (?P<message>.*)", re.DOTALL)


class StreamError(Exception):
    """A stream's response carries an error. It answers what a ``grpc.RpcError`` does.

    Such a response has no status, so the front door writes the code in front of the message. Triton would send a
    status to a client that asks for one with the header ``triton_grpc_error``, but 2.51 then aborts now and then.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        match = _CODED.fullmatch(text)
        known = match is not None and match["code"] in grpc.StatusCode.__members__
        self._code = grpc.StatusCode[match["code"]] if match and known else grpc.StatusCode.UNKNOWN
        self._details = match["message"] if match and known else text

    def code(self) -> grpc.StatusCode:
        """The status; UNKNOWN where the message does not begin with one."""
        return self._code

    def details(self) -> str:
        """The message without the status."""
        return self._details


def encode(request: Request, deadline: Deadline) -> Any:
    """``request`` as a ``ModelInferRequest`` that asks for the mark of the last response.

    It carries what is left of the deadline, so that the server can refuse at once what it cannot begin in time.

    Raises:
        DeadlineExceeded: nothing is left.
    """
    message = service_pb2.ModelInferRequest(model_name=MODEL)
    for name in ("text", "voice", "quality", "speaker", "emotion", "style"):
        _add_string(message, name, getattr(request, name))
    for name in ("dictionary", "attributes"):
        mapping = getattr(request, name)
        if mapping is not None:
            _add_string(message, name, json.dumps(dict(mapping), ensure_ascii=False))
    for name in ("speed", "pitch", "energy"):
        value = getattr(request, name)
        if value is not None:
            _add_input(message, name.upper(), "FP32", struct.pack("<f", value))
    if request.seed is not None:
        _add_input(message, "SEED", "INT32", struct.pack("<i", request.seed))
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    message.parameters["timeout"].int64_param = max(1, int(deadline.left() * 1e6))
    message.parameters["part_seconds"].int64_param = PART_SECONDS
    if isinstance(request, Continuation):
        message.parameters["resume"].string_param = request.resume
    return message


def _add_string(message: Any, name: str, value: str | None) -> None:
    if value is not None:
        data = value.encode()
        _add_input(message, name.upper(), "BYTES", struct.pack("<I", len(data)) + data)


def _add_input(message: Any, name: str, datatype: str, raw: bytes) -> None:
    message.inputs.add(name=name, datatype=datatype, shape=[1])
    message.raw_input_contents.append(raw)


def decode(message: Any) -> tuple[Chunk | None, bool]:
    """A ``ModelStreamInferResponse`` as its chunk (``None``: it carries nothing), and whether it is the last.

    Raises:
        StreamError: it carries an error.
        ProtocolError: it is not what the front door promises.
    """
    if message.error_message:
        raise StreamError(message.error_message)
    response = message.infer_response
    last = response.parameters["triton_final_response"].bool_param
    if not response.outputs:
        return None, last
    if len(response.raw_output_contents) != len(response.outputs):
        raise ProtocolError("outputs of the server's answer have no contents: check its version")
    tensors = {
        tensor.name: (tensor, raw) for tensor, raw in zip(response.outputs, response.raw_output_contents, strict=True)
    }
    try:
        samples = _array(*tensors["AUDIO"], "INT16", "<i2")
        rate = _array(*tensors["SAMPLE_RATE"], "INT32", "<i4")
        events = _text(*tensors["EVENTS"])
    except KeyError as error:
        raise ProtocolError(f"the server's answer has no output {error}: check its version") from None
    return _chunk(samples, int(rate[0]) if rate.size else 0, events), last


def _array(tensor: Any, raw: bytes, datatype: str, dtype: str) -> np.ndarray[Any, np.dtype[Any]]:
    expected = math.prod(tensor.shape) * np.dtype(dtype).itemsize
    if tensor.datatype != datatype or len(raw) != expected:
        raise ProtocolError(
            f"{tensor.name} of the server's answer must be {datatype} of {expected} bytes, "
            f"got {tensor.datatype} of {len(raw)}: the server is broken"
        )
    return np.frombuffer(raw, dtype=dtype)


def _text(tensor: Any, raw: bytes) -> str:
    if tensor.datatype != "BYTES" or len(raw) < 4 or len(raw) != 4 + struct.unpack_from("<I", raw)[0]:
        raise ProtocolError(f"{tensor.name} of the server's answer must be one string: the server is broken")
    try:
        return raw[4:].decode()
    except UnicodeDecodeError:
        raise ProtocolError(f"{tensor.name} of the server's answer is not UTF-8: it is broken") from None


def _chunk(samples: Any, sample_rate: int, events: str) -> Chunk:
    try:
        tree = json.loads(events)
        progress = tree.get("progress")
        return Chunk(
            samples=samples.astype(np.int16, copy=False),
            sample_rate=sample_rate,
            clauses=tuple(_clause(item) for item in tree.get("clauses", ())),
            marks=tuple(_mark(item) for item in tree.get("marks", ())),
            notices=tuple(_notice(item) for item in tree.get("notices", ())),
            voice=str(tree.get("voice", "")),
            quality=str(tree.get("quality", "")),
            progress=None if progress is None else Progress(int(progress["done"]), int(progress["total"])),
            resume=str(tree.get("resume", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ProtocolError(f"EVENTS of the server's answer cannot be read ({reason})") from None


def _clause(item: Mapping[str, Any]) -> Clause:
    return Clause(str(item["text"]), *_times(item), tuple(_words(item.get("words", ()))))


def _words(items: Iterable[Mapping[str, Any]]) -> Iterable[Word]:
    for item in items:
        phones = tuple(Phone(str(phone["phone"]), *_times(phone)) for phone in item.get("phones", ()))
        yield Word(str(item["text"]), *_times(item), phones)


def _mark(item: Mapping[str, Any]) -> Mark:
    time = float(item["time"])
    if not 0 <= time < math.inf:
        raise ValueError(f"time {time} of a mark is not possible")
    return Mark(str(item["name"]), time)


def _notice(item: Mapping[str, Any]) -> Notice:
    return Notice(str(item["kind"]), str(item.get("text", "")), str(item["message"]))


def _times(item: Mapping[str, Any]) -> tuple[float, float]:
    start, end = float(item["start"]), float(item["end"])
    if not (math.isfinite(end) and 0 <= start <= end):
        raise ValueError(f"times {start} to {end} are not in order")
    return start, end
