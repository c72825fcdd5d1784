"""Helpers of the tests that talk to the real server."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from triton_calls import Triton

from client import Synthesizer
from server import TritonServer


@pytest.fixture(scope="session")
def triton(service: TritonServer) -> Iterator[Triton]:
    made = Triton(service.address.grpc)
    yield made
    made.client.close()


@pytest.fixture(scope="session")
def synthesizer(service: TritonServer) -> Iterator[Synthesizer]:
    with Synthesizer(service.address.grpc) as made:
        yield made


@pytest.fixture
def eight() -> Iterator[ThreadPoolExecutor]:
    """Eight threads, so that eight requests are under way at once."""
    with ThreadPoolExecutor(8) as pool:
        yield pool
