"""The voices that stand in the model repository, loaded or not, and its being served."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path


def hold(repository: Path) -> int:
    """Tell exporters that the repository is being served: a shared lock on its folder, for as long as the descriptor
    that this returns is open. Raises BlockingIOError while another process exports into it.
    """
    handle = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:
        pass  # a file system without locks, where nobody can be told
    return handle


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
