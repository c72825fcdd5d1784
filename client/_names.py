"""The addresses behind a name, such as a headless service's, which come and go."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from . import _address
from ._errors import ServerUnreachable
from ._servers import Servers

EVERY = 5.0
"""Seconds after which a name is looked up again, if there are requests."""

AT_LEAST = 0.5
"""Seconds between two looks, however much is wrong with the addresses."""


def lookup(host: str, port: int) -> list[str]:
    """Each address of ``host`` as ``HOST:PORT``, in order; raises ``OSError``."""
    found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    return sorted(f"[{address}]:{port}" if ":" in str(address) else f"{address}:{port}" for address in found)


class Names:
    """Keeps ``servers`` at what ``address``, a name and a port, stands for. Safe to use from several threads.

    gRPC would look again only when a connection broke, so that a server that is added would get no requests. It is
    done on a thread: a resolver that is away must not hold up requests whose servers are known.
    """

    def __init__(self, address: str, servers: Servers, clock: Callable[[], float] = time.monotonic) -> None:
        self._address = address
        self._host, self._port = _address.split(address, "server", "dns:///tts:8001")
        self._servers = servers
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._running: Future[None] | None = None

    def look(self, *, soon: bool = False) -> Future[None] | None:
        """Look again if it is time, or ``soon``, because an address does not answer.

        Returns what is to be waited for, as long as no address is known; it raises ``ServerUnreachable`` where there is
        none. ``None``: nothing is to be waited for.
        """
        with self._lock:
            wait = AT_LEAST if soon or not self._servers.addresses else EVERY
            due = self._looked is None or self._clock() - self._looked >= wait
            if self._running is None and due:
                self._running = Future()
                self._running.set_running_or_notify_cancel()  # nobody who waits for it may end it for the others
                threading.Thread(target=self._work, args=(self._running,), name="names", daemon=True).start()
            if self._servers.addresses:
                return None
            return self._running or self._nothing()

    def _work(self, running: Future[None]) -> None:
        error: Exception | None = None
        try:
            found = lookup(self._host.strip("[]"), self._port)
            if found:
                self._servers.replace(found)
        except (OSError, UnicodeError):
            pass  # those that are known stay; a resolver may be away for a while
        if not self._servers.addresses:
            error = self._unknown()
        with self._lock:
            self._looked = self._clock()
            self._running = None
        if error is None:
            running.set_result(None)
        else:
            running.set_exception(error)

    def _nothing(self) -> Future[None]:
        """A look that was too short a time ago to be repeated, and found nothing."""
        future: Future[None] = Future()
        future.set_exception(self._unknown())
        return future

    def _unknown(self) -> ServerUnreachable:
        return ServerUnreachable(f"cannot find the host of {self._address}: check the address")
