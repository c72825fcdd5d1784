"""``python -m server gateway``: HTTP in front of a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from server.errors import BadRequest

from .settings import GatewaySettings

_DEFAULT = GatewaySettings()


def gateway(
    server: Annotated[str, typer.Option(metavar="HOST:PORT", help="The server's gRPC address.")] = _DEFAULT.server,
    metrics_server: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="The server's metrics, for what /health tells of it.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = _DEFAULT.host,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = _DEFAULT.port,
    timeout: Annotated[float, typer.Option(help="Seconds that a whole answer may take.")] = _DEFAULT.timeout,
    tokens: Annotated[Path | None, typer.Option(metavar="FILE", help="Who may ask, and how much (TOML).")] = None,
    certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="For HTTPS, with its chain (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="The certificate's key (PEM).")] = None,
) -> None:
    """Serves OpenAI's speech API and a web page in front of a server, until Ctrl-C."""
    settings = GatewaySettings(
        server=server,
        metrics_server=metrics_server,
        host=host,
        port=port,
        timeout=timeout,
        tokens=tokens,
        certificate=certificate,
        key=key,
    )
    try:
        from .listener import serve
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing: pip install 'sculptor-triton[gateway]'", file=sys.stderr)
        raise typer.Exit(2) from None
    try:
        serve(settings)
    except BadRequest as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
