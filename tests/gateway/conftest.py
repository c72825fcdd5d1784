"""Real gateways in front of the session's server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from gateway.process import PATIENCE, Gateway, running

from server import TritonServer

__all__ = ["PATIENCE", "Gateway", "gateway", "running", "strict"]

TOKENS = f"""
[tokens.open]
secret = "open-sesame"

[tokens.hashed]
sha256 = "{hashlib.sha256(b"kept-as-a-hash").hexdigest()}"

[tokens.requests]
secret = "two-a-minute"
requests_per_minute = 2

[tokens.characters]
secret = "few-characters"
characters_per_minute = 30

[tokens.concurrent]
secret = "one-at-once"
concurrent = 1
"""


@pytest.fixture(scope="session")
def gateway(service: TritonServer) -> Iterator[Gateway]:
    """The gateway that all tests share, without tokens."""
    with running("--server", service.address.grpc, "--metrics-server", service.address.metrics) as made:
        yield made


@pytest.fixture(scope="session")
def strict(service: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with tokens and narrow bounds."""
    tokens = tmp_path_factory.mktemp("strict") / "tokens.toml"
    tokens.write_text(TOKENS, "utf-8")
    bounds = ("--request-seconds", "3", "--stall-seconds", "1", "--max-connections", "20")
    with running("--server", service.address.grpc, "--tokens", str(tokens), *bounds) as made:
        yield made
