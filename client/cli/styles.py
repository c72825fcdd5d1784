"""``styles``: the presets that --style takes by name."""

from __future__ import annotations

from dataclasses import asdict

from ._console import emit, emit_json, note
from ._options import Json, Reached, Seconds, asking, connect
from ._table import table


@asking
def styles(as_json: Json = False, *, reached: Reached, seconds: Seconds = 30.0) -> None:
    """List the styles that have a name; --style also takes an instruction in plain words."""
    with connect(reached, seconds) as synthesizer:
        found = synthesizer.styles()
    if as_json:
        emit_json({"styles": [asdict(preset) for preset in found]})
    elif found:
        emit(table([("STYLE", "INSTRUCTION"), *((preset.name, preset.instruction) for preset in found)]))
    else:
        note("note: the server has no styles with names, describe one in plain words")
