"""Asks a server that has just started whether it works: for its health, then for a real synthesis."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Sequence

from server.control import Control, ControlError
from server.errors import ProbeFailed
from server.frontdoor import FRONT_DOOR, ask
from server.options import ServerAddress

Probe = Callable[[ServerAddress], None]

TEXT = "你好。"
PATIENCE = 60.0  # seconds for the first synthesis, which may still allocate and compile


def is_alive(address: ServerAddress, name: str) -> bool:
    """Whether the server called ``name`` listens there and says that its models are loaded."""
    connection = http.client.HTTPConnection(address.http, timeout=5)
    try:
        connection.request("GET", "/v2/health/ready")
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            return False
        connection.request("GET", "/v2")
        described = json.loads(connection.getresponse().read())
        return isinstance(described, dict) and described.get("name") == name
    except (OSError, http.client.HTTPException, ValueError):
        return False
    finally:
        connection.close()


def synthesize(address: ServerAddress, voices: Sequence[str] = ()) -> None:
    """Streams a short text through the front door and wants samples; without a front door, does nothing.

    One of ``voices`` must speak: of those that are loaded or, when none is, the default one or any that can be loaded.
    """
    try:
        models = Control(address, limit=10.0).models()
    except ControlError as error:
        raise ProbeFailed(f"the server started, but {error}") from None
    if FRONT_DOOR not in models or not models[FRONT_DOOR].ready:
        return
    loaded = [voice for voice in voices if voice in models and models[voice].ready]
    candidates: Sequence[str | None] = loaded or [None, *voices]
    failure: ProbeFailed | None = None
    for voice in candidates:
        try:
            return _speak(address, voice)
        except ProbeFailed as error:
            failure = failure or error
    if failure:
        raise failure


def _speak(address: ServerAddress, voice: str | None) -> None:
    answer = ask(address, TEXT, voice, PATIENCE)
    if answer.status == "DEADLINE_EXCEEDED":
        raise ProbeFailed(f"a synthesis did not end within {PATIENCE:.0f} s")
    if answer.message:
        raise ProbeFailed(f"the server started, but a synthesis failed: {answer.message}")
    if not answer.samples:
        raise ProbeFailed("the server started, but a synthesis gave no audio")
