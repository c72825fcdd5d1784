"""Lets the requests in flight end before a server is stopped, and takes no new ones."""

from __future__ import annotations

import http.client
import re
import time
from collections.abc import Callable, Sequence

from server.control import Control, ControlError
from server.options import ServerAddress

POLL = 0.05
QUIET = 3.0  # seconds for which the front door must have counted no request; it tells its count every second
_COUNT = re.compile(r"^tts_(?:in_flight|waiting)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


def drain(address: ServerAddress, models: Sequence[str], limit: float, running: Callable[[], bool]) -> bool:
    """Unloads the models that clients call: their requests in flight end, new ones are refused.

    Triton alone does it the wrong way round: told to stop, it refuses the calls between its own models as well, and a
    stream in flight breaks off at its next clause.

    Gives True when all are unloaded; False after ``limit`` seconds, when the server is gone, or when nothing is in
    flight any more and Triton keeps a model all the same (2.51 does so after some cancelled requests): such a server
    would not end by itself either.
    """
    control = Control(address)
    begin = quiet_since = time.monotonic()
    try:
        states = control.models()
        leaving = [model for model in models if model in states and states[model].ready]
        for model in leaving:
            control.unload(model)
        while running() and time.monotonic() < begin + limit:
            states = control.models()
            if not any(states[model].state == "UNLOADING" for model in leaving if model in states):
                return True
            if requests(address) != 0:
                quiet_since = time.monotonic()
            if time.monotonic() > quiet_since + QUIET:
                return False
            time.sleep(POLL)
    except ControlError:
        pass  # it cannot be asked, so there is nobody to wait for
    return False


def requests(address: ServerAddress) -> int | None:
    """How many requests the front door has under way, by its metrics; None when it does not tell."""
    connection = http.client.HTTPConnection(address.metrics, timeout=2)
    try:
        connection.request("GET", "/metrics")
        counts = _COUNT.findall(connection.getresponse().read().decode(errors="replace"))
        return int(sum(map(float, counts))) if counts else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
