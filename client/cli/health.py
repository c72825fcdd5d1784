"""``health``: does the service speak?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import typer

from .._errors import ServiceFailed
from .._health import page_of
from .._models import Health
from ._console import emit, emit_json
from ._options import Json, Reached, Seconds, asking, connect
from ._table import table

DEFAULT_METRICS = ":8002"
Metrics = Annotated[
    str,
    typer.Option(metavar="[HOST]:PORT", help="The metrics' address; without a host, that port of each server's own."),
]


@asking
def health(
    as_json: Json = False, metrics: Metrics = DEFAULT_METRICS, *, reached: Reached, seconds: Seconds = 60.0
) -> None:
    """Check that every voice speaks, by a real synthesis, and tell how the service is."""
    page_of("", metrics)  # what is no address is said before anything else is tried
    with connect(reached, seconds) as synthesizer:
        result = synthesizer.health(metrics=metrics)
    if as_json:
        emit_json(asdict(result))
    elif result.version:
        for one in result.servers or (result,):
            for line in _lines(one):
                emit(line)
    if not result.healthy:
        raise ServiceFailed(result.message)


def _lines(one: Health) -> Iterator[str]:
    """One server's health, in words."""
    yield f"{one.version or 'no server'} at {one.server}"
    if one.voices:
        rows = [["VOICE", "HEALTHY", "FIRST AUDIO", "ALL AUDIO", "AUDIO"]]
        for voice in one.voices:
            times = (voice.first_audio, voice.elapsed, voice.audio)
            shown = ["-" if time is None else f"{time:.3f} s" for time in times]
            rows.append([voice.voice, "yes" if voice.healthy else "no", *shown])
        yield table(rows)
    if one.models:
        ready = [model for model in one.models if model.ready]
        yield f"models: {len(ready)} of {len(one.models)} ready"
    # Those that nobody has asked for yet, and those that somebody unloaded, are as they should be.
    for model in one.models:
        if not model.ready and model.reason not in ("", "unloaded"):
            yield f"model {model.name}: {model.state.lower()}: {' '.join(model.reason.split())}"
    if one.memory is not None:
        gpu = "" if one.memory.gpu is None else f", gpu {one.memory.gpu:.0%}"
        yield f"memory used: host {one.memory.host:.0%}{gpu}"
    if one.queue is not None:
        oldest = f", the first for {one.queue.oldest_wait:.1f} s" if one.queue.waiting else ""
        yield f"in flight: {one.queue.in_flight}, waiting: {one.queue.waiting}{oldest}"
    if one.degradation is not None:
        yield f"degradation step: {one.degradation.step} ({one.degradation.name})"
