"""docs/profiles.md, made of the profiles."""

from __future__ import annotations

import json
from dataclasses import fields

from export.profile_values import GIB, PROFILES
from export.profiles import Profile, Serving
from export.specs import Precision

_DESCRIBED = {"name", "hardware", "why", "base"}

_INTRODUCTION = """# Hardware profiles

`scripts/serve --profile NAME` starts the server with the configs of a profile: each model's `configs/NAME.pbtxt` where
it has one, else its `config.pbtxt`, which is `cpu`'s. By hand that is `tritonserver --model-config-name=NAME`. Every
profile starts on every machine: without a GPU, the stages run on the CPU.

The values are in [export/profile_values.py](../export/profile_values.py), each with its reason;
`python -m export configs` renders them, and this page is `python -m export profiles > docs/profiles.md`. Only `cpu` has
been measured ([benchmarks.md](benchmarks.md)). The bounds on requests and the memory thresholds of the GPU profiles
come from the system that this service replaces; batches, delays and instances are reckoned from the cards' memory and
bandwidth.

The precision is the one wanted: a stage that exists in float32 only is served so.
"""

_FIELDS = """
## How to read the tables

The four kinds of stage and the language models: instances (on each GPU) × largest batch; a batch of a preferred size,
in parentheses, is run at once and another waits for company as many µs as the last figure says. A language model takes
texts in and lets them go at every step, so it waits for nobody.

`…_free_bytes` is the free memory below which, `…_used_fraction` the share of used memory above which that step of
degradation is taken, on the host and on each GPU alike; – is off. `idle_unload_seconds` 0 is never,
`max_loaded_voices` 0 no bound.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION + _FIELDS, "## Values\n", *_table(), *_reasons()]) + "\n"


def _names() -> list[str]:
    return [field.name for field in fields(Profile) if field.name not in _DESCRIBED]


def _table() -> list[str]:
    """One row per field, one column per profile."""
    profiles = list(PROFILES.values())
    lines = [f"| | {' | '.join(f'`{p.name}`' for p in profiles)} |", "|---" * (len(profiles) + 1) + "|"]
    lines.append(f"| machine | {' | '.join(p.hardware for p in profiles)} |")
    for name in _names():
        lines.append(f"| `{name}` | {' | '.join(_text(name, getattr(p, name)) for p in profiles)} |")
    return lines


def _reasons() -> list[str]:
    """Each profile's reasons; of a profile that is another one with changes, only those of the changes."""
    lines = []
    for profile in PROFILES.values():
        base = profile.base
        lines += [f"\n## Why: `{profile.name}`, {profile.hardware}\n"]
        if base is not None:
            lines += [f"What is not listed is as for `{base.name}`.\n"]
        for name in _names():
            if base is None or profile.why[name] != base.why[name]:
                lines.append(f"* `{name}` {_text(name, getattr(profile, name))}: {profile.why[name]}.")
    return lines


def _text(name: str, value: object) -> str:
    if isinstance(value, Serving):
        preferred = f" ({', '.join(str(size) for size in value.preferred)})" if value.preferred else ""
        return f"{value.instances} × {value.max_batch}{preferred}, {value.delay_us}"
    if isinstance(value, Precision):
        return value.value
    if isinstance(value, dict):
        return ", ".join(f"{key} {item}" for key, item in value.items()) or "–"
    if isinstance(value, tuple):
        return ", ".join(value)
    if not value and name.endswith(("_bytes", "_fraction")):
        return "–"
    if isinstance(value, int) and name.endswith("_bytes"):
        return f"{value / GIB:g} GiB"
    return json.dumps(value)
