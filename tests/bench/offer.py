"""Many requests from one light client: as fast as they are answered, or at a rate of their own."""

from __future__ import annotations

import asyncio
import re
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

CHANNELS = 4
_STATUS = re.compile(r"([A-Z_]+): ")
# Each channel has a connection of its own, as so many clients would.
_OPTIONS = (("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1))


@dataclass(frozen=True)
class Asked:
    """One request: when it was due, sent and answered (on one clock, in seconds), and what came of it.

    `status` is gRPC's name; `samples` is how much audio there was, 0 for a refusal.
    """

    due: float
    sent: float
    ended: float
    status: str
    message: str
    samples: int

    @property
    def seconds(self) -> float:
        """From sending to the answer's end."""
        return self.ended - self.sent

    @property
    def outcome(self) -> str:
        """Status and message, alike for requests that differ in numbers only."""
        return self.status if self.status == "OK" else f"{self.status}: {re.sub(r'[0-9.]+', 'N', self.message)}"


def closed_loop(address: str, texts: Sequence[str], clients: int, seconds: float) -> list[Asked]:
    """`clients` that each send their next request when the last is answered, for about that long."""

    async def run() -> list[Asked]:
        async with _Door(address) as door:
            end = time.perf_counter() + seconds

            async def client(number: int) -> list[Asked]:
                asked: list[Asked] = []
                while time.perf_counter() < end:
                    text = texts[(number + len(asked)) % len(texts)]
                    asked.append(await door.ask(text, time.perf_counter(), limit=600.0))
                return asked

            return [each for asked in await asyncio.gather(*map(client, range(clients))) for each in asked]

    return asyncio.run(run())


def open_loop(address: str, texts: Sequence[str], rate: float, seconds: float, limit: float) -> list[Asked]:
    """`rate` requests per second for that long, whatever becomes of them; each may take `limit` seconds."""

    async def run() -> list[Asked]:
        async with _Door(address) as door:
            begin = time.perf_counter()
            tasks = []
            for number in range(round(rate * seconds)):
                due = begin + number / rate
                # Never skipped, so that what was late is sent at once and others have their turn.
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                tasks.append(asyncio.create_task(door.ask(texts[number % len(texts)], due, limit)))
            return list(await asyncio.gather(*tasks))

    return asyncio.run(run())


class _Door:
    """The front door over a few connections; a stream for each request."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._channels: list[Any] = []
        self._stubs: list[Any] = []
        self._next = 0

    async def __aenter__(self) -> _Door:
        for _ in range(CHANNELS):
            channel = grpc.aio.insecure_channel(self._address, options=_OPTIONS)
            await channel.channel_ready()
            self._channels.append(channel)
            self._stubs.append(service_pb2_grpc.GRPCInferenceServiceStub(channel))
        return self

    async def __aexit__(self, *_: object) -> None:
        for channel in self._channels:
            await channel.close()

    async def ask(self, text: str, due: float, limit: float) -> Asked:
        """One request, to the end of its stream."""
        self._next += 1
        stub = self._stubs[self._next % CHANNELS]
        sent = time.perf_counter()
        failed: float | None = None
        status, message, samples = "OK", "", 0
        try:
            async for response in stub.ModelStreamInfer(_once(_request(text, limit)), timeout=limit + 10.0):
                if response.error_message:
                    failed = time.perf_counter()
                    status, message = _split(response.error_message)
                else:
                    samples += _samples(response.infer_response)
        except grpc.aio.AioRpcError as error:
            status, message = error.code().name, error.details() or ""
        return Asked(due, sent, failed or time.perf_counter(), status, message, samples)


async def _once(message: Any) -> Any:
    yield message


def _request(text: str, limit: float) -> Any:
    data = text.encode()
    message = service_pb2.ModelInferRequest(model_name="tts")
    message.inputs.add(name="TEXT", datatype="BYTES", shape=[1])
    message.raw_input_contents.append(struct.pack("<I", len(data)) + data)
    message.parameters["timeout"].int64_param = round(limit * 1e6)
    return message


def _split(error: str) -> tuple[str, str]:
    match = _STATUS.match(error)
    return (match[1], error[match.end() :]) if match else ("UNKNOWN", error)


def _samples(response: Any) -> int:
    pairs: Iterable[tuple[Any, bytes]] = zip(response.outputs, response.raw_output_contents, strict=False)
    return sum(len(raw) // 2 for output, raw in pairs if output.name == "AUDIO")
