"""What a caller may choose about a server, and the command line that comes of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from server import hosts, security
from server.assemble import Assembly
from server.cores import cores
from server.find import Installation
from server.hosts import LOOPBACK
from server.ports import Ports
from server.security import Access, Security
from server.tracing import TRACE_URL, Trace

# A client whose machine vanished, or that was stopped, is noticed within 80 s and its requests are cancelled, where
# gRPC would wait two hours; and clients may look after the server every 10 s without being taken for a flood.
KEEPALIVE = (
    "--grpc-keepalive-time=60000",
    "--grpc-keepalive-timeout=20000",
    "--grpc-http2-max-pings-without-data=0",
    "--grpc-http2-min-recv-ping-interval-without-data=10000",
)
ALL = ("*",)
# Tells the front door where it can have models loaded and unloaded.
MODEL_CONTROL = "TTS_MODEL_CONTROL"
# Tells it the file of the token that goes with these orders.
TOKEN_FILE = "TTS_TOKEN_FILE"


@dataclass(frozen=True)
class ServerOptions:
    """How to run a server on ``repository``. Ports that are None or 0 are chosen.

    ``host`` is where gRPC listens; HTTP, which Triton gives no TLS, is for this machine alone.
    """

    repository: Path
    profile: str | None = None
    host: str = LOOPBACK
    metrics_host: str = LOOPBACK
    security: Security = field(default_factory=Security)
    grpc_port: int | None = None
    http_port: int | None = None
    metrics_port: int | None = None
    control: Literal["none", "explicit", "poll"] = "explicit"  # the router reloads dead stages with "explicit" only
    load: tuple[str, ...] = ALL  # models to load at the start, with control="explicit"
    tolerant: bool = False  # a model that cannot be loaded does not keep the others from being served
    auto_complete: bool = False
    cache_bytes: int = 64 << 20  # of the response cache; 0 for none
    exit_timeout: int = 10  # seconds that requests in flight get when the server stops
    log_file: Path | None = None  # appended to; None keeps the log only while the server runs
    log_verbose: int = 0
    trace: Trace | None = None
    tritonserver: Path | None = None
    extra_args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ServerAddress:
    """Where a server is asked from its own machine, and what it wants to be shown."""

    host: str
    grpc_port: int
    http_port: int
    metrics_port: int
    metrics_host: str = LOOPBACK
    access: Access = field(default_factory=Access)

    @property
    def grpc(self) -> str:
        return f"{hosts.bracketed(self.host)}:{self.grpc_port}"

    @property
    def http(self) -> str:
        return f"{LOOPBACK}:{self.http_port}"

    @property
    def metrics(self) -> str:
        return f"{hosts.bracketed(self.metrics_host)}:{self.metrics_port}"


def listening(options: ServerOptions) -> dict[str, str]:
    """The address that each service listens on. Raises ``BadRequest`` for what is no address."""
    return {"grpc": hosts.parse(options.host), "http": LOOPBACK, "metrics": hosts.parse(options.metrics_host)}


def command_line(
    options: ServerOptions,
    installation: Installation,
    assembly: Assembly | None,
    ports: Ports,
    config_name: str | None,
    identity: str,
    access: Access,
) -> list[str]:
    """The whole command of the server process. ``identity`` names it and its shared memory regions."""
    command = [
        str(installation.binary),
        f"--model-repository={options.repository.resolve()}",
        f"--id={identity}",
        f"--exit-timeout-secs={options.exit_timeout}",
        f"--backend-config=python,shm-region-prefix-name={identity}-",
        f"--model-control-mode={options.control}",
        *KEEPALIVE,
    ]
    for name, host in listening(options).items():
        written = hosts.bracketed(host) if name == "grpc" else hosts.prefixed(host)
        command += [f"--{name}-address={written}", f"--{name}-port={getattr(ports, name)}"]
    command += security.arguments(options.security, access)
    if options.control == "explicit":
        command += [f"--load-model={model}" for model in options.load]
    if config_name is not None:
        command.append(f"--model-config-name={config_name}")
    if options.tolerant:
        command += ["--exit-on-error=false", "--strict-readiness=false"]
    if not options.auto_complete:
        command.append("--disable-auto-complete-config")
    if options.cache_bytes:
        command.append(f"--cache-config=local,size={options.cache_bytes}")
    if options.trace is not None:
        command += options.trace.arguments()
    if options.log_verbose:
        command.append(f"--log-verbose={options.log_verbose}")
    if assembly is not None:
        command += [f"--backend-directory={assembly.backends}", f"--cache-directory={assembly.caches}"]
    else:
        # The C++ backend has all stages in one process, and would have a pool of spinning threads for each of them.
        threads = f"intra_op_thread_count={cores()}"
        command += [f"--backend-config=onnxruntime,{option}" for option in ("enable-global-threadpool=1", threads)]
    return [*command, *options.extra_args]


def process_environment(
    options: ServerOptions, assembly: Assembly | None, ports: Ports, access: Access
) -> dict[str, str]:
    """The variables of the server process: the caller's, with the venv and the libraries in front."""
    variables = {**os.environ, MODEL_CONTROL: f"{LOOPBACK}:{ports.http}", **options.environment}
    variables.pop(TOKEN_FILE, None)  # one of another server that was started by hand
    if access.token_file is not None:
        variables[TOKEN_FILE] = str(access.token_file)
    if options.trace is not None:
        variables[TRACE_URL] = options.trace.url
    if assembly is not None:
        _prepend(variables, "PATH", assembly.python)
        for folder in reversed(assembly.libraries):
            _prepend(variables, "LD_LIBRARY_PATH", folder)
        variables.pop("PYTHONHOME", None)
    return variables


def _prepend(variables: dict[str, str], name: str, folder: Path) -> None:
    rest = variables.get(name)
    variables[name] = f"{folder}{os.pathsep}{rest}" if rest else str(folder)
