"""Asking processes through their pipes; see `bench.offer.Speaker`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from itertools import count

from bench.offer import Refused
from bench.peers import frames


class ThroughPipes:
    """Asks processes of `bare_process`, each time the one that has least to do. Enter it when they are ready."""

    def __init__(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        self._processes = processes
        self._waiting: list[dict[int, asyncio.Future[bytes]]] = [{} for _ in processes]
        self._numbers = count(1)
        self._readers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> ThroughPipes:
        self._readers = [asyncio.create_task(self._read(index)) for index in range(len(self._processes))]
        return self

    async def __aexit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.cancel()

    async def pieces(self, text: str, limit: float) -> AsyncIterator[bytes]:
        """See `Speaker`: one piece."""
        index = min(range(len(self._processes)), key=lambda each: len(self._waiting[each]))
        number = next(self._numbers)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[index][number] = answer
        pipe = self._processes[index].stdin
        assert pipe is not None
        pipe.write(frames.pack(number, text.encode()))
        try:
            yield await asyncio.wait_for(answer, limit)
        except asyncio.TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED", f"no answer after {limit:g} s", time.perf_counter()) from error
        finally:
            self._waiting[index].pop(number, None)

    async def _read(self, index: int) -> None:
        pipe = self._processes[index].stdout
        assert pipe is not None
        while True:
            try:
                number, pcm = await frames.receive(pipe)
            except asyncio.IncompleteReadError:
                for answer in self._waiting[index].values():
                    answer.set_exception(Refused("UNAVAILABLE", "the process ended", time.perf_counter()))
                return
            if waiting := self._waiting[index].get(number):
                waiting.set_result(pcm)
