"""``health``: does the service speak?"""

from __future__ import annotations

from dataclasses import asdict

from .._errors import ServiceFailed
from ._console import emit, emit_json
from ._options import Json, Reached, Seconds, asking, connect
from ._table import table


@asking
def health(as_json: Json = False, *, reached: Reached, seconds: Seconds = 60.0) -> None:
    """Check that every voice speaks, by a real synthesis."""
    with connect(reached, seconds) as synthesizer:
        result = synthesizer.health()
    if as_json:
        emit_json(asdict(result))
    elif result.version:
        emit(f"{result.version} at {result.server}")
        rows = [["VOICE", "HEALTHY", "FIRST AUDIO", "ALL AUDIO", "AUDIO"]]
        for voice in result.voices:
            times = (voice.first_audio, voice.elapsed, voice.audio)
            shown = ["-" if time is None else f"{time:.3f} s" for time in times]
            rows.append([voice.voice, "yes" if voice.healthy else "no", *shown])
        if result.voices:
            emit(table(rows))
    if not result.healthy:
        raise ServiceFailed(result.message)
