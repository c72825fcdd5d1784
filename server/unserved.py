"""What a tolerant server does not serve, one line for each voice, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from server import log
from server.control import ModelState
from server.repository import voice_of


def unserved(
    expected: Iterable[str], states: Mapping[str, ModelState], log_text: str, voices: Iterable[str]
) -> list[str]:
    """A line for each voice, and each model of no voice, that was to be loaded and is not ready.

    A voice fails as a whole, so its first model that tells a reason speaks for it.
    """
    logged = log.failures(log_text)
    known = tuple(voices)
    reasons: dict[str, str] = {}
    for model in sorted(expected):
        state = states.get(model, ModelState(model, ""))
        if state.ready:
            continue
        voice = voice_of(model, known)
        owner = f"voice {voice}" if voice else f"model {model}"
        reason = log.plain(state.reason) or logged.get(model, "")
        told = f"model {model}: {reason}" if reason and voice else reason
        reasons[owner] = reasons.get(owner) or told
    return [f"{owner} is not served: {reason or 'the log tells why'}" for owner, reason in reasons.items()]
