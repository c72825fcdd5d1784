"""One call's way from server to server until one answers."""

from __future__ import annotations

import logging

from ._errors import ConnectionLost, ConnectTimeout, ServiceUnavailable, SpeechError, VoiceNotFound
from ._servers import Servers

_LOG = logging.getLogger("client")


class Round:
    """Gives each server that is worth it one try, and keeps what they said."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._errors: dict[str, SpeechError] = {}

    def begin(self) -> str:
        """The address of the next server; the call is under way there until ``Servers.end``.

        Raises:
            SpeechError: none is left; of what the servers said, that which promises most.
        """
        address = self._servers.begin(self._errors)
        if address is None:
            raise min(self._errors.values(), key=_promise)
        if self._errors:
            tried, error = list(self._errors.items())[-1]
            _LOG.info("%s takes what %s did not: %s", address, tried, error)
        return address

    def failed(self, address: str, error: ServiceUnavailable | VoiceNotFound, *, begun: bool = False) -> None:
        """The server there did not answer, or with ``begun`` not to the end.

        Raises:
            SpeechError: ``error``, where the next server would have to leave out what this one has answered, or where
                this one took the call and died: the caller counts how often that happens.
        """
        self._errors[address] = error
        if isinstance(error, ServiceUnavailable):
            self._servers.failed(address, error)
        if begun or isinstance(error, ConnectionLost):
            raise error


def _promise(error: SpeechError) -> tuple[bool, bool, float]:
    """The least is the best: a server that says when to come again, then one that at least was there."""
    after = error.retry_after if isinstance(error, ServiceUnavailable) else None
    return isinstance(error, ConnectTimeout), after is None, after or 0.0
