"""What a gateway is started with."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from client import Connection, Timeout

KIB = 1 << 10


@dataclass(frozen=True)
class Bounds:
    """What one client may cost.

    Attributes:
        body: bytes of a request's body.
        header: bytes of a request's line and headers.
        characters: characters of a text.
        connections: open at once; further ones are refused.
        request_seconds: for a request's line and headers to come, and again for its body.
        stall_seconds: that a reader of audio may take nothing before he is cut off.
    """

    body: int = 512 * KIB
    header: int = 32 * KIB
    characters: int = 60_000
    connections: int = 256
    request_seconds: float = 15.0
    stall_seconds: float = 30.0


@dataclass(frozen=True)
class GatewaySettings:
    """Where the gateway listens, whom it asks, and whom it answers.

    Attributes:
        connection: how the server is reached.
        metrics_server: ``HOST:PORT`` of the server's metrics page, None: it is not read.
        host, port: where HTTP is served; port 0 picks a free one.
        timeout: seconds that a whole answer may take, the listener's own time included.
        tokens: the file of those who may ask; None: everybody may.
        certificate, key: PEM files of HTTPS; None: plain HTTP.

    Raises:
        InvalidRequest: ``timeout`` makes no sense.
    """

    connection: Connection = field(default_factory=Connection)
    metrics_server: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    timeout: float = 600.0
    tokens: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    bounds: Bounds = field(default_factory=Bounds)

    def __post_init__(self) -> None:
        Timeout(total=self.timeout)
