"""What the routes share: one of each in a process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from client import AsyncSynthesizer

from .metrics import GatewayMetrics
from .settings import GatewaySettings


@dataclass(frozen=True)
class Service:
    """The settings, the one connection to the server, and the counters; ``app.state.service``.

    ``patient`` waits where ``synthesizer`` tells of overload at once.
    """

    settings: GatewaySettings
    synthesizer: AsyncSynthesizer
    patient: AsyncSynthesizer
    metrics: GatewayMetrics


def service_of(request: Request) -> Service:
    """The service of the application that got ``request``."""
    found: Service = request.app.state.service
    return found


Serving = Annotated[Service, Depends(service_of)]
"""The parameter of a route that gets the service."""
