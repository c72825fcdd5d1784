"""Text control, parsed once: SSML and the short forms of plain text become one script."""

from .parse import parse
from .script import Manner, MarkupError, Named, Pause, Said, Script

__all__ = ["Manner", "MarkupError", "Named", "Pause", "Said", "Script", "parse"]
