"""``voices``, ``load`` and ``unload``: what the server can speak with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from .._models import Voice
from ._console import emit, emit_json, note
from ._options import Json, Reached, Seconds, asking, connect
from ._table import table

_SHOWN = 4

Name = Annotated[str, typer.Argument(metavar="VOICE", help="A name from the voices command.")]


@asking
def voices(as_json: Json = False, *, reached: Reached, seconds: Seconds = 30.0) -> None:
    """List the voices, the state of each and what it can do."""
    with connect(reached, seconds) as synthesizer:
        found = synthesizer.voices()
    if as_json:
        emit_json({"voices": [_tree(voice) for voice in found]})
        return
    if not found:
        note("note: the server has no voices, make one with python -m export voice")
        return
    rows = [["VOICE", "STATE", "FAMILY", "HZ", "LANGUAGES", "QUALITIES", "SPEAKERS", "EMOTIONS"]]
    for voice in found:
        rows.append(
            [
                voice.name,
                voice.state,
                voice.family or "-",
                str(voice.sample_rate or "-"),
                *map(_some, (voice.languages, voice.qualities, voice.speakers, voice.emotions)),
            ]
        )
    emit(table(rows))
    for voice in found:
        if voice.reason:
            emit(f"{voice.name}: {voice.reason}")
        for name, values in voice.attributes.items():
            emit(f"{voice.name}: --attribute {name}={'|'.join(values)}")


@asking
def load(voice: Name, as_json: Json = False, *, reached: Reached, seconds: Seconds = 300.0) -> None:
    """Load a voice of the server's repository."""
    with connect(reached, seconds) as synthesizer:
        found = synthesizer.load(voice)
    if as_json:
        emit_json(_tree(found))
    else:
        emit(f"{found.name}: ready, {found.family}, {found.sample_rate} Hz")


@asking
def unload(voice: Name, as_json: Json = False, *, reached: Reached, seconds: Seconds = 300.0) -> None:
    """Unload a voice, so that it takes no memory; what it shares with others stays."""
    with connect(reached, seconds) as synthesizer:
        synthesizer.unload(voice)
    if as_json:
        emit_json(_tree(Voice(voice, "unloaded")))
    else:
        emit(f"{voice}: unloaded")


def _tree(voice: Voice) -> dict[str, Any]:
    return {**asdict(voice), "ready": voice.ready}


def _some(names: Sequence[str]) -> str:
    shown = ",".join(names[:_SHOWN]) or "-"
    return f"{shown},+{len(names) - _SHOWN}" if len(names) > _SHOWN else shown
