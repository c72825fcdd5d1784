"""Fixtures of the client's tests."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from client_fakes import Call

from client import AsyncSynthesizer, Synthesizer, Timeout, _retry


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries need not wait here."""
    monkeypatch.setattr(_retry, "FIRST_PAUSE", 0.002)


def _sync(address: str, method: str, *arguments: Any, timeout: Timeout | float = 10, **options: Any) -> Any:
    with Synthesizer(address, timeout=timeout) as synthesizer:
        return getattr(synthesizer, method)(*arguments, **options)


def _async(address: str, method: str, *arguments: Any, timeout: Timeout | float = 10, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncSynthesizer(address, timeout=timeout) as synthesizer:
            return await getattr(synthesizer, method)(*arguments, **options)

    return asyncio.run(run())


@pytest.fixture(params=[_sync, _async], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Calls a method of a client, which is closed after it."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """A shell's background jobs ignore Ctrl-C, and so does what they start; here it does not."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
