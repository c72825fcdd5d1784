"""Where a user's servers keep what outlives them."""

from __future__ import annotations

import os
from pathlib import Path


def folder() -> Path:
    """The folder of logs and of the token; it may not exist."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "tts-server"
