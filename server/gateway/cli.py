"""``python -m server gateway``: HTTP in front of a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from client import InvalidRequest
from client._health import page_of
from client.cli._options import Ca, Encrypted, Reached, Server, TlsName, TokenFile
from server.errors import BadRequest

from .settings import Bounds, GatewaySettings

_DEFAULT = GatewaySettings()
_BOUNDS = Bounds()


def gateway(
    server: Server = _DEFAULT.connection.server,
    tls: Encrypted = False,
    ca: Ca = None,
    client_certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Show this certificate to the server (PEM).")
    ] = None,
    client_key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key (PEM).")] = None,
    tls_name: TlsName = None,
    token_file: TokenFile = None,
    metrics_server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The server's metrics, for what /health tells of it.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = _DEFAULT.host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = _DEFAULT.port,
    timeout: Annotated[float, typer.Option(help="Seconds that a whole answer may take.")] = _DEFAULT.timeout,
    tokens: Annotated[Path | None, typer.Option(metavar="FILE", help="Who may ask, and how much (TOML).")] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve HTTPS with this certificate and its chain (PEM).")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The key of --certificate (PEM).")] = None,
    max_body: Annotated[int, typer.Option(min=1, help="Bytes of a request's body.")] = _BOUNDS.body,
    max_characters: Annotated[int, typer.Option(min=1, help="Characters of a text.")] = _BOUNDS.characters,
    max_connections: Annotated[int, typer.Option(min=1, help="Connections at once.")] = _BOUNDS.connections,
    request_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a request's headers may take to come, and its body.")
    ] = _BOUNDS.request_seconds,
    stall_seconds: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a reader of audio may take nothing.")
    ] = _BOUNDS.stall_seconds,
) -> None:
    """Serves OpenAI's speech API and a web page in front of a server, until Ctrl-C."""
    try:
        from .listener import serve
    except ModuleNotFoundError as error:
        _fail(f"{error.name} is missing: pip install 'sculptor-triton[gateway]'")
    bounds = Bounds(
        body=max_body,
        characters=max_characters,
        connections=max_connections,
        request_seconds=request_seconds,
        stall_seconds=stall_seconds,
    )
    try:
        connection = Reached(server, tls, ca, client_certificate, client_key, tls_name, token_file).connection()
        if metrics_server is not None:
            page_of(server, metrics_server)
        serve(
            GatewaySettings(
                connection=connection,
                metrics_server=metrics_server,
                host=host,
                port=port,
                timeout=timeout,
                tokens=tokens,
                certificate=certificate,
                key=key,
                bounds=bounds,
            )
        )
    except (BadRequest, InvalidRequest) as error:
        _fail(str(error))


def _fail(reason: str) -> NoReturn:
    print(f"error: {reason}", file=sys.stderr)
    raise typer.Exit(2)
