"""`scripts/bench front-door`: every promise of the front door, measured, in one report and one file."""

from __future__ import annotations

from bench import any_length, ensemble_memory, first_audio, long_text, on_demand, overload, style_cache, vocoders

COMMAND = "scripts/bench front-door"
SECTIONS = tuple(
    module.SECTION
    for module in (first_audio, any_length, long_text, style_cache, overload, vocoders, on_demand, ensemble_memory)
)
