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

    The first model of a voice that tells a reason speaks for it. A voice whose ensemble is ready lacks a stage that not
    every request needs.
    """
    logged = log.failures(log_text)
    known = tuple(voices)
    reasons: dict[str, str] = {}
    for model in sorted(expected):
        state = states.get(model, ModelState(model, ""))
        if state.ready:
            continue
        voice = voice_of(model, known)
        reason = log.plain(state.reason) or logged.get(model, "")
        if voice is None:
            what = f"model {model} is not served"
        elif voice in states and states[voice].ready:
            what = f"voice {voice} is served without {model}"
        else:
            what = f"voice {voice} is not served"
            reason = f"model {model}: {reason}" if reason else ""
        reasons[what] = reasons.get(what) or reason
    return [f"{what}: {reason or 'the log tells why'}" for what, reason in reasons.items()]
