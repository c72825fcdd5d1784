"""Stand-ins: transports that follow a script, and a tiny Triton that speaks real gRPC."""

from __future__ import annotations

import json
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from concurrent import futures
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from client import Chunk, Clause, Deadline, Mark, ModelState, Notice, Progress, Request, VoiceNotFound, Word

RATE = 24000
DEMO = {
    "family": "fastspeech2",
    "sample_rate": "24000",
    "hop_length": "300",
    "language": "zh",
    "speakers": "[]",
    "emotions": '["happy", "sad"]',
    "qualities": '["balanced", "fast"]',
    "stages": '["encoder", "melgan"]',
    "style": "",
    "limits": '{"speed": [0.5, 2.0], "pitch": [-4.0, 4.0], "energy": [-6.0, 6.0]}',
}

PRESETS = '[{"name": "温柔", "instruction": "用温柔的声音慢慢地说"}]'

Step = Chunk | BaseException
Call = Callable[..., Any]  # of a client's method: (fake or address, method, its arguments) -> what it gives


def speech_chunk(
    seconds: float = 1.0, *, text: str = "今天，", start: float = 0.0, done: int = 3, rate: int = RATE
) -> Chunk:
    """A response with one clause of one word."""
    end = start + seconds
    word = text.rstrip("，。")
    return Chunk(
        samples=np.full(int(seconds * rate), 1000, dtype=np.int16),
        sample_rate=rate,
        clauses=(Clause(text, start, end, (Word(word, start, end),)),),
        notices=(Notice("clamped", "pitch 6", "pitch 6 semitones is outside -4..4: 4 was used"),),
        voice="demo",
        quality="balanced",
        progress=Progress(done, 6),
        marks=(Mark("m", start),),
    )


class FakeTransport:
    """Answers the n-th synthesis with the n-th script; the last one stays."""

    def __init__(self, *scripts: Sequence[Step], models: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.scripts = scripts or ([speech_chunk()],)
        self.configs = {"demo": DEMO, "tts": {}} if models is None else models
        self.index: list[ModelState] | None = None
        self.failures: list[Exception] = []
        self.requests: list[Request] = []
        self.changes: list[str] = []
        self.open_streams = 0
        self.closed = False

    def synthesize(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
        self.requests.append(request)
        self.open_streams += 1
        try:
            for step in script:
                if isinstance(step, BaseException):
                    raise step
                yield step
        finally:
            self.open_streams -= 1

    def models(self, deadline: Deadline) -> Sequence[ModelState]:
        if self.failures:
            raise self.failures.pop(0)
        return self.index if self.index is not None else [ModelState(name, "READY") for name in self.configs]

    def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        if model not in self.configs:
            raise VoiceNotFound(f"no model {model}")
        return self.configs[model]

    def load(self, model: str, deadline: Deadline) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.changes.append(f"+{model}")

    def unload(self, model: str, deadline: Deadline) -> None:
        self.changes.append(f"-{model}")

    def version(self, deadline: Deadline) -> str:
        return "triton 2.51.0"

    def close(self) -> None:
        self.closed = True


class AsyncFakeTransport:
    """The same for the asynchronous client."""

    def __init__(self, fake: FakeTransport) -> None:
        self.fake = fake

    async def synthesize(self, request: Request, deadline: Deadline) -> AsyncGenerator[Chunk, None]:
        stream = self.fake.synthesize(request, deadline)
        try:
            for chunk in stream:
                yield chunk
        finally:
            stream.close()

    async def models(self, deadline: Deadline) -> Sequence[ModelState]:
        return self.fake.models(deadline)

    async def parameters(self, model: str, deadline: Deadline) -> Mapping[str, str]:
        return self.fake.parameters(model, deadline)

    async def load(self, model: str, deadline: Deadline) -> None:
        self.fake.load(model, deadline)

    async def unload(self, model: str, deadline: Deadline) -> None:
        self.fake.unload(model, deadline)

    async def version(self, deadline: Deadline) -> str:
        return self.fake.version(deadline)

    async def close(self) -> None:
        self.fake.close()


def events(**changes: Any) -> dict[str, Any]:
    """EVENTS as the front door sends it."""
    word = {
        "text": "今天",
        "start": 0.1,
        "end": 0.9,
        "phones": [{"phone": "j", "start": 0.1, "end": 0.2}],
    }
    tree = {
        "clauses": [{"text": "今天，", "start": 0.0, "end": 1.0, "words": [word]}],
        "marks": [{"name": "here", "time": 0.5}],
        "notices": [{"kind": "skipped", "text": "😀", "message": "😀 cannot be said: it was left out"}],
        "voice": "demo",
        "quality": "balanced",
        "progress": {"done": 3, "total": 3},
    }
    return {**tree, **changes}


def response(
    seconds: float = 1.0, tree: Mapping[str, Any] | None = None, *, rate: int = RATE, final: bool = False
) -> Any:
    """A ``ModelStreamInferResponse`` with audio."""
    message = service_pb2.ModelStreamInferResponse()
    infer = message.infer_response
    text = json.dumps(events() if tree is None else tree).encode()
    samples = np.full(int(seconds * rate), 7, dtype="<i2")
    for name, kind, shape, raw in (
        ("AUDIO", "INT16", [len(samples)], samples.tobytes()),
        ("SAMPLE_RATE", "INT32", [1], np.array([rate], "<i4").tobytes()),
        ("EVENTS", "BYTES", [1], len(text).to_bytes(4, "little") + text),
    ):
        infer.outputs.add(name=name, datatype=kind, shape=shape)
        infer.raw_output_contents.append(raw)
    infer.parameters["triton_final_response"].bool_param = final
    return message


def final_response() -> Any:
    """The empty response that marks the end."""
    message = service_pb2.ModelStreamInferResponse()
    message.infer_response.parameters["triton_final_response"].bool_param = True
    return message


Answer = Callable[[Any, Any], Iterator[Any]]


def speak(request: Any, context: Any) -> Iterator[Any]:
    """A good answer in two parts."""
    yield response()
    yield response(tree=events(clauses=[], notices=[]))
    yield final_response()


def refuse(code: grpc.StatusCode, details: str) -> Answer:
    """An answer that is this status and nothing else."""

    def answer(request: Any, context: Any) -> Iterator[Any]:
        context.abort(code, details)
        yield

    return answer


class Triton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """Speaks gRPC as a Triton server does. The n-th stream gets the n-th answer, the last one stays."""

    def __init__(self, *answers: Answer, interceptors: Sequence[grpc.ServerInterceptor] = ()) -> None:
        self.answers = answers or (speak,)
        self.requests: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()
        self.models = {
            "demo": "READY",
            "demo_encoder": "READY",
            "tts": "READY",
            "ghost": "UNAVAILABLE",
            "ghost_encoder": "UNAVAILABLE",
        }
        self.reasons: dict[str, str] = {}
        self.configs = {"demo": DEMO, "ghost": DEMO, "tts": {"presets": PRESETS}}
        self.changes: list[str] = []
        self.managed = True
        self.server = grpc.server(futures.ThreadPoolExecutor(8), interceptors=interceptors)
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self.server)
        self.address = f"127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def __enter__(self) -> Triton:
        self.server.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.server.stop(0).wait()

    def ServerLive(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerLiveResponse(live=True)

    def ServerMetadata(self, request: Any, context: Any) -> Any:
        return service_pb2.ServerMetadataResponse(name="triton", version="2.51.0")

    def RepositoryIndex(self, request: Any, context: Any) -> Any:
        message = service_pb2.RepositoryIndexResponse()
        for name, state in self.models.items():
            message.models.add(name=name, state=state, reason=self.reasons.get(name, ""))
        return message

    def ModelConfig(self, request: Any, context: Any) -> Any:
        if self.models.get(request.name) != "READY":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Request for unknown model: '{request.name}' is not found")
        message = service_pb2.ModelConfigResponse()
        for key, value in self.configs.get(request.name, {}).items():
            message.config.parameters[key].string_value = value
        return message

    def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        self._change("+", request.model_name, context)
        self.models[request.model_name] = "READY"
        return service_pb2.RepositoryModelLoadResponse()

    def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        self._change("-", request.model_name, context)
        self.models[request.model_name] = "UNAVAILABLE"
        self.reasons[request.model_name] = "unloaded"
        return service_pb2.RepositoryModelUnloadResponse()

    def _change(self, sign: str, model: str, context: Any) -> None:
        if not self.managed:
            text = "explicit model load / unload is not allowed if polling is enabled"
            context.abort(grpc.StatusCode.UNAVAILABLE, text)
        self.changes.append(sign + model)

    def ModelStreamInfer(self, requests: Iterator[Any], context: Any) -> Iterator[Any]:
        context.add_callback(self.ended.set)
        self.headers.append(dict(context.invocation_metadata()))
        request = next(requests, None)
        if request is None:  # cancelled before it was read
            return
        number = len(self.requests)
        self.requests.append(request)
        yield from self.answers[min(number, len(self.answers) - 1)](request, context)


def failed(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error; nothing may be on stdout."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.removeprefix("error: ").rstrip("\n")
