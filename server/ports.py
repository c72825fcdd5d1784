"""Chooses ports, and keeps several launchers on one machine from choosing the same ones."""

from __future__ import annotations

import errno
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from server.errors import BadRequest, PortInUse, ServerError

# Below Linux's range for outgoing connections (32768-60999), so that no client's socket takes one in between.
RANGE = (20000, 32000)
NAMES = ("grpc", "http", "metrics")


@dataclass
class Ports:
    """Three ports. Chosen ones stay claimed against other launchers until ``release``."""

    grpc: int
    http: int
    metrics: int
    chosen: frozenset[str] = frozenset()
    claims: list[socket.socket] = field(default_factory=list, repr=False)

    def release(self) -> None:
        while self.claims:
            self.claims.pop().close()


def allocate(hosts: Mapping[str, str], requested: Mapping[str, int | None]) -> Ports:
    """Checks the requested ports and picks free ones for those that are None or 0, each on its service's host."""
    fixed = {name: port for name in NAMES if (port := requested.get(name))}
    for name, port in fixed.items():
        if not 0 < port < 65536:
            raise BadRequest(f"the {name} port {port} is not between 1 and 65535")
        twin = next((other for other in fixed if other != name and fixed[other] == port), None)
        if twin:
            raise BadRequest(f"port {port} was given for both {name} and {twin}: each needs its own")
        _require(hosts[name], name, port)
    claims: list[socket.socket] = []
    values = dict(fixed)
    for name in NAMES:
        if name not in values:
            try:
                values[name], claim = _pick(hosts[name], set(values.values()))
            except ServerError:
                Ports(0, 0, 0, claims=claims).release()
                raise
            claims.append(claim)
    return Ports(**values, chosen=frozenset(set(NAMES) - set(fixed)), claims=claims)


def await_free(hosts: Mapping[str, str], ports: Ports, seconds: float) -> None:
    """Waits until ports that a process has just held can be bound again. Raises ``PortInUse`` when they stay taken."""
    deadline = time.monotonic() + seconds
    for name in NAMES:
        while not is_free(hosts[name], getattr(ports, name)) and time.monotonic() < deadline:
            time.sleep(0.02)
        _require(hosts[name], name, getattr(ports, name))


def is_free(host: str, port: int) -> bool:
    return _bind_error(host, port) is None


def _require(host: str, name: str, port: int) -> None:
    error = _bind_error(host, port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise PortInUse(f"port {port} for {name} is already in use: stop what holds it or choose another port")
    raise PortInUse(f"port {port} for {name} cannot be bound on {host}: {error.strerror or error}")


def _bind_error(host: str, port: int) -> OSError | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return error
    return None


def _pick(host: str, taken: set[int]) -> tuple[int, socket.socket]:
    for port in random.sample(range(*RANGE), 400):
        if port in taken:
            continue
        claim = _claim(port)
        if claim is None:
            continue
        if is_free(host, port):
            return port, claim
        claim.close()
    raise ServerError(f"no free port was found between {RANGE[0]} and {RANGE[1]} on {host}")


def _claim(port: int) -> socket.socket | None:
    """A name in Linux's abstract socket space: it goes with the process that holds it and leaves no file."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        claim.bind(f"\0tts-server-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim
