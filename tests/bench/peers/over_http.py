"""Asking a web application; see `bench.offer.Speaker`."""

from __future__ import annotations

import asyncio
import io
import time
import wave
from collections.abc import AsyncIterator

import aiohttp

from bench.offer import Refused


class OverHttp:
    """Posts a text and gets a WAV file. Enter it."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> OverHttp:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    async def pieces(self, text: str, limit: float) -> AsyncIterator[bytes]:
        """See `Speaker`: one piece, as the file is made when all of it is known."""
        assert self._session is not None
        try:
            timeout = aiohttp.ClientTimeout(total=limit)
            async with self._session.post(self._address, data=text.encode(), timeout=timeout) as answer:
                body = await answer.read()
        except asyncio.TimeoutError as error:
            raise Refused("DEADLINE_EXCEEDED", f"no answer after {limit:g} s", time.perf_counter()) from error
        except aiohttp.ClientError as error:
            raise Refused("UNAVAILABLE", str(error), time.perf_counter()) from error
        if answer.status != 200:
            raise Refused("INTERNAL", f"HTTP {answer.status}", time.perf_counter())
        with wave.open(io.BytesIO(body)) as file:
            yield file.readframes(file.getnframes())
