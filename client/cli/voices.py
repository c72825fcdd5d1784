"""``voices``: what the server can speak with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ._console import emit, emit_json, note
from ._options import DEFAULT_SERVER, Json, Seconds, Server, connect

_SHOWN = 4


def voices(as_json: Json = False, server: Server = DEFAULT_SERVER, seconds: Seconds = 30.0) -> None:
    """List the voices and what each can do."""
    with connect(server, seconds) as synthesizer:
        found = synthesizer.voices()
    if as_json:
        emit_json({"voices": [asdict(voice) for voice in found]})
        return
    if not found:
        note("note: the server has no voices, make one with python -m export voice")
        return
    rows = [["VOICE", "READY", "FAMILY", "HZ", "LANGUAGES", "QUALITIES", "SPEAKERS", "EMOTIONS"]]
    for voice in found:
        rows.append(
            [
                voice.name,
                "yes" if voice.ready else "no",
                voice.family or "-",
                str(voice.sample_rate or "-"),
                *map(_some, (voice.languages, voice.qualities, voice.speakers, voice.emotions)),
            ]
        )
    emit(table(rows))


def table(rows: Sequence[Sequence[str]]) -> str:
    """``rows`` as lines whose columns are aligned, also with wide characters."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def _some(names: Sequence[str]) -> str:
    shown = ",".join(names[:_SHOWN]) or "-"
    return f"{shown},+{len(names) - _SHOWN}" if len(names) > _SHOWN else shown
