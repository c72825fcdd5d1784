"""``python -m server serve`` and ``run``: a server in the foreground, and one for the length of a command."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, NoReturn, TextIO

import typer

from server import certificates, hardware, hosts, log, state
from server import repository as models
from server.errors import BadRequest, ServerError
from server.gateway.cli import gateway
from server.hardware import Choice
from server.options import ALL, ServerOptions
from server.probe import synthesize
from server.security import PROTECTED, Access, Security
from server.tracing import Trace
from server.triton import TritonServer
from server.watch import Watch

CHECKOUT = Path(__file__).resolve().parent.parent
LOGS_KEPT = 20
# What a container is configured by: TTS_PROFILE for --profile of `serve`, TTS_GATEWAY_PORT for --port of `gateway`.
VARIABLES = "TTS"
app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("gateway")(gateway)
app.command("certificates")(certificates.command)


def run(arguments: list[str] | None = None) -> int:
    """The whole command; gives the exit code. Wrong arguments are one line, too."""
    try:
        result: Any = app(
            args=arguments, prog_name="python -m server", standalone_mode=False, auto_envvar_prefix=VARIABLES
        )
    except Exception as error:
        if not hasattr(error, "format_message"):  # click's errors, wherever typer keeps click
            raise
        message = error.format_message()
        if message:
            _say(f"error: {message.rstrip('.')} (--help shows what there is)", sys.stderr)
        return 2
    return result if isinstance(result, int) else 0


@app.callback()
def main() -> None:
    """Runs the speech server."""


@app.command(context_settings={"auto_envvar_prefix": VARIABLES})
def serve(
    repository: Annotated[Path, typer.Option(help="The model repository.")] = CHECKOUT / "model_repository",
    profile: Annotated[str, typer.Option(help="The hardware's: configs/<profile>.pbtxt; auto finds it.")] = "auto",
    on_demand: Annotated[bool, typer.Option("--on-demand", help="Load a voice when it is first asked for.")] = False,
    grpc_port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8001,
    http_port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8000,
    metrics_port: Annotated[int, typer.Option(help="0 picks a free one.")] = 8002,
    host: Annotated[str, typer.Option(help="The address that gRPC listens on.")] = hosts.LOOPBACK,
    metrics_host: Annotated[str, typer.Option(help="The address of the metrics page.")] = hosts.LOOPBACK,
    certificate: Annotated[Path | None, typer.Option(help="The server's, with its chain: gRPC gets TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key.")] = None,
    client_ca: Annotated[Path | None, typer.Option(help="Clients must show a certificate of this CA.")] = None,
    client_certificate: Annotated[Path | None, typer.Option(help="What the launcher shows to --client-ca.")] = None,
    client_key: Annotated[Path | None, typer.Option(help="Its key.")] = None,
    token_file: Annotated[Path | None, typer.Option(help="A secret for all but speech and health.")] = None,
    log_file: Annotated[Path | None, typer.Option(help="Where Triton's own log goes.")] = None,
    tritonserver: Annotated[Path | None, typer.Option(help="The tritonserver to use.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="URL", help="Where spans go: OpenTelemetry, OTLP/HTTP.")] = None,
    trace_rate: Annotated[int, typer.Option(min=1, metavar="N", help="One request in N is traced.")] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds that the start may take.")] = 300.0,
    exit_timeout: Annotated[int, typer.Option(min=0, help="Seconds that requests in flight get at the end.")] = 30,
) -> None:
    """Runs a server until Ctrl-C, on loopback unless told otherwise, and gets it going again when a part of it dies."""
    fitting = _fitting(profile, repository)
    server = TritonServer(
        ServerOptions(
            repository=repository,
            load=_on_demand(repository) if on_demand else ALL,
            tolerant=True,
            exit_timeout=exit_timeout,
            profile=fitting.profile,
            host=host,
            metrics_host=metrics_host,
            security=Security(certificate, key, client_ca, client_certificate, client_key, token_file),
            grpc_port=grpc_port,
            http_port=http_port,
            metrics_port=metrics_port,
            log_file=log_file or _default_log(),
            tritonserver=tritonserver,
            trace=_trace(trace, trace_rate),
        ),
        probe=functools.partial(synthesize, voices=models.voices(repository)),
        ready_timeout=timeout,
    )
    _listen_for_signals(server)
    try:
        try:
            _run(server, fitting)
        except BadRequest as error:
            server.stop()
            _fail(error, 2)
        except ServerError as error:
            server.kill()
            _fail(error, 1)
    except KeyboardInterrupt:
        _say("stopping")
        server.stop()


@app.command("run", context_settings={"ignore_unknown_options": True})
def run_command(
    command: Annotated[list[str], typer.Argument(help="What to run; {grpc} stands for the server's address.")],
    repository: Annotated[Path, typer.Option(help="The model repository.")] = CHECKOUT / "model_repository",
) -> None:
    """Runs a command beside a server on free ports, stops the server, and ends as the command did."""
    server = TritonServer(ServerOptions(repository=repository))
    _listen_for_signals(server)
    begin = time.monotonic()
    try:
        _say("starting a server ...", sys.stderr)
        with server:
            _say(f"server ready after {time.monotonic() - begin:.1f} s", sys.stderr)
            arguments = [word.replace("{grpc}", server.address.grpc) for word in command]
            code = subprocess.run(arguments, check=False).returncode
    except OSError as error:
        _fail(ServerError(f"cannot run {command[0]}: {error.strerror}"), 2)
    except ServerError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        server.stop()
        raise typer.Exit(130) from None
    raise typer.Exit(code if code >= 0 else 128 - code)


def _on_demand(repository: Path) -> tuple[str, ...]:
    """What is loaded from the start when voices are not."""
    try:
        return models.shared(repository)
    except BadRequest as error:
        _fail(error, 2)


def _trace(url: str | None, rate: int) -> Trace | None:
    """Where spans go, if anywhere."""
    try:
        return None if url is None else Trace.to(url, rate)
    except BadRequest as error:
        _fail(error, 2)


def _fitting(profile: str, repository: Path) -> Choice:
    """The profile to use, and why."""
    if profile != "auto":
        return Choice(profile, "as asked")
    return hardware.choose(hardware.detect(), models.profiles(repository), hardware.flags())


def _run(server: TritonServer, fitting: Choice) -> None:
    begin = time.monotonic()
    server.start()
    path = server.log_path or Path(os.devnull)
    _say(f"starting on {server.options.repository}, profile {fitting.profile} ({fitting.reason}), log in {path}")
    if server.form.engines:
        _say(f"engines: {server.form.engines}")
    _tell_protection(server.options, server.address.access)
    if server.form.warning:
        _say(f"warning: {server.form.warning}", sys.stderr)
    server.wait_ready()
    for line in server.unserved:
        _say(f"warning: {line}", sys.stderr)
    if not server.token_masked:
        _say("warning: this system lets other users read the token in the list of processes", sys.stderr)
    address = server.address
    grpc, metrics = (
        f"{hosts.bracketed(host)}:{port}"
        for host, port in (
            (server.options.host, address.grpc_port),
            (server.options.metrics_host, address.metrics_port),
        )
    )
    _say(
        f"ready after {time.monotonic() - begin:.1f} s: grpc {grpc}, http {address.http}, "
        f"metrics {metrics} (Ctrl-C stops it)"
    )
    follower, identity = log.Follower(path, path.stat().st_size), server.identity

    def tell_news() -> None:
        nonlocal identity
        lines = log.notable(follower.news())
        if server.identity == identity:  # what a new start says of models that cannot be loaded has been said
            for line in lines:
                _say(line, sys.stderr)
        identity = server.identity

    Watch(server, lambda line: _say(f"watch: {line}", sys.stderr)).run(tell_news)


def _tell_protection(options: ServerOptions, access: Access) -> None:
    if access.token_file is not None:
        _say(f"protected by the token in {access.token_file}: {', '.join(PROTECTED)}")
    if access.tls is None and not hosts.is_loopback(options.host):
        _say(f"warning: speech on {options.host} is not encrypted: --certificate and --key do that", sys.stderr)


def _default_log() -> Path:
    """A file that outlives the server, so that a failure can be looked into."""
    name = time.strftime("triton-%Y%m%d-%H%M%S-") + f"{os.getpid()}.log"
    for folder in (state.folder(), Path(tempfile.gettempdir()) / f"tts-server-{os.getuid()}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for old in sorted(folder.glob("triton-*.log"))[:-LOGS_KEPT]:
                old.unlink()
            return folder / name
        except OSError:
            continue
    return Path(name)


def _listen_for_signals(server: TritonServer) -> None:
    """The first signal ends the waiting, a second one the drain of the requests in flight."""
    signals = 0

    def handle(number: int, frame: object) -> None:
        nonlocal signals
        signals += 1
        if signals == 1:
            raise KeyboardInterrupt
        server.hurry()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP
            signal.signal(number, handle)


def _say(line: str, stream: TextIO | None = None) -> None:
    with contextlib.suppress(OSError):  # a closed pipe does not end the server
        print(line, file=stream or sys.stdout, flush=True)


def _fail(error: ServerError, code: int) -> NoReturn:
    _say(f"error: {error}", sys.stderr)
    raise typer.Exit(code)
