"""Many requests from one light client: as fast as they are answered, or at a rate of their own."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

CHANNELS = 4
_STATUS = re.compile(r"([A-Z_]+): ")
# Each channel has a connection of its own, as so many clients would.
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))


@dataclass(frozen=True)
class Asked:
    """One request: when it was due, sent and answered (on one clock, in seconds), and what came of it.

    `status` is gRPC's name; `samples` is how much audio there was, 0 for a refusal; `heard` is when the first of it
    came.
    """

    due: float
    sent: float
    ended: float
    status: str
    message: str
    samples: int
    heard: float | None = None

    @property
    def seconds(self) -> float:
        """From sending to the answer's end."""
        return self.ended - self.sent

    @property
    def outcome(self) -> str:
        """Status and message, alike for requests that differ in numbers only."""
        return self.status if self.status == "OK" else f"{self.status}: {re.sub(r'[0-9.]+', 'N', self.message)}"


class Refused(Exception):
    """A request was answered at the time `at`, but not with audio; `status` is gRPC's name."""

    def __init__(self, status: str, message: str, at: float) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.at = at


class Speaker(Protocol):
    """Anything that can be asked to speak."""

    def pieces(self, text: str, limit: float) -> AsyncIterator[bytes]:
        """Audio as 16-bit PCM, as it comes, for `limit` seconds at most. Raises `Refused`."""


async def ask(speaker: Speaker, text: str, due: float, limit: float) -> Asked:
    """One request, to its end."""
    sent = time.perf_counter()
    heard: float | None = None
    samples = 0
    try:
        async for piece in speaker.pieces(text, limit):
            heard = heard or time.perf_counter()
            samples += len(piece) // 2
    except Refused as refusal:
        return Asked(due, sent, refusal.at, refusal.status, refusal.message, samples, heard)
    return Asked(due, sent, time.perf_counter(), "OK", "", samples, heard)


async def in_turn(
    speaker: Speaker, texts: Sequence[str], clients: int, seconds: float, limit: float = 600.0
) -> list[Asked]:
    """`clients` that each send their next request when the last is answered, for about that long."""
    end = time.perf_counter() + seconds

    async def client(number: int) -> list[Asked]:
        asked: list[Asked] = []
        while time.perf_counter() < end:
            text = texts[(number + len(asked)) % len(texts)]
            asked.append(await ask(speaker, text, time.perf_counter(), limit))
        return asked

    return [each for asked in await asyncio.gather(*map(client, range(clients))) for each in asked]


async def at_times(speaker: Speaker, texts: Sequence[str], times: Iterable[float], limit: float) -> list[Asked]:
    """Requests at these seconds from now, whatever becomes of them; each may take `limit` seconds."""
    begin = time.perf_counter()
    tasks = []
    for number, after in enumerate(times):
        due = begin + after
        # Never skipped, so that what was late is sent at once and others have their turn.
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(ask(speaker, texts[number % len(texts)], due, limit)))
    return list(await asyncio.gather(*tasks))


def closed_loop(address: str, texts: Sequence[str], clients: int, seconds: float) -> list[Asked]:
    """`in_turn` at the front door of a server."""

    async def run() -> list[Asked]:
        async with Door(address) as door:
            return await in_turn(door, texts, clients, seconds)

    return asyncio.run(run())


def open_loop(address: str, texts: Sequence[str], rate: float, seconds: float, limit: float) -> list[Asked]:
    """`rate` requests per second for that long at the front door of a server, evenly spread; see `at_times`."""

    async def run() -> list[Asked]:
        async with Door(address) as door:
            return await at_times(door, texts, (number / rate for number in range(round(rate * seconds))), limit)

    return asyncio.run(run())


class Door:
    """A model that speaks, the front door if no other is named, over a few connections; a stream for each request.

    `voice` and `quality` are for the front door; without them, its defaults answer.
    """

    def __init__(self, address: str, model: str = "tts", voice: str = "", quality: str = "") -> None:
        self._address = address
        self._model = model
        self._asked = {"VOICE": voice, "QUALITY": quality}
        self._channels: list[Any] = []
        self._stubs: list[Any] = []
        self._next = 0

    async def __aenter__(self) -> Door:
        for _ in range(CHANNELS):
            channel = grpc.aio.insecure_channel(self._address, options=_OPTIONS)
            await channel.channel_ready()
            self._channels.append(channel)
            self._stubs.append(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels:
            await channel.close()

    async def pieces(self, text: str, limit: float) -> AsyncIterator[bytes]:
        """See `Speaker`."""
        self._next += 1
        stub = self._stubs[self._next % CHANNELS]
        refusal: Refused | None = None
        try:
            request = _request(self._model, {"TEXT": text, **self._asked}, limit)
            async for response in stub.ModelStreamInfer(_once(request), timeout=limit + 10.0):
                if response.error_message:
                    refusal = Refused(*_split(response.error_message), time.perf_counter())
                else:
                    for piece in _audio(response.infer_response):
                        yield piece
        except grpc.aio.AioRpcError as error:
            refusal = refusal or Refused(error.code().name, error.details() or "", time.perf_counter())
        if refusal:
            raise refusal


async def _once(message: Any) -> Any:
    yield message


def _request(model: str, inputs: Mapping[str, str], limit: float) -> Any:
    message = service_pb2.ModelInferRequest(model_name=model)
    for name, value in inputs.items():
        if value:
            data = value.encode()
            message.inputs.add(name=name, datatype="BYTES", shape=[1])
            message.raw_input_contents.append(struct.pack("<I", len(data)) + data)
    message.parameters["timeout"].int64_param = round(limit * 1e6)
    return message


def _split(error: str) -> tuple[str, str]:
    match = _STATUS.match(error)
    return (match[1], error[match.end() :]) if match else ("UNKNOWN", error)


def _audio(response: Any) -> Iterable[bytes]:
    pairs: Iterable[tuple[Any, bytes]] = zip(response.outputs, response.raw_output_contents, strict=False)
    return (raw for output, raw in pairs if output.name == "AUDIO" and raw)
