"""The voices that stand in the model repository, loaded or not."""

from __future__ import annotations

import json
from pathlib import Path


def installed_voices(repository: Path) -> dict[str, tuple[str, ...]]:
    """Each voice's name and the roles of its stages, from the `voice.json` beside its ensemble.

    A file that cannot be read is passed over: the text front end tells whoever asks for that voice.
    """
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted(repository.glob("*/voice.json")):
        try:
            found[path.parent.name] = tuple(
                str(role) for role in json.loads(path.read_text(encoding="utf-8"))["stages"]
            )
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return found
