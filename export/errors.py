"""What can go wrong between a checkpoint and a repository."""

from collections.abc import Iterable


class ExportError(Exception):
    """Base of everything this package raises on purpose; the message is one sentence for the user."""


class CheckpointError(ExportError):
    """A checkpoint is missing, damaged or not of the layout that was asked for."""


class SpecError(ExportError):
    """A graph and its stage specification disagree."""


class EngineError(ExportError):
    """A TensorRT plan cannot be built."""


def listed(names: Iterable[str], room: int = 120) -> str:
    """Names as a list for a message: "a, b, c and 17 more" where they would take more than `room` characters.

    The first name is always there, cut to the room.
    """
    rest = list(names)
    text = ""
    while rest:
        longer = f"{text}, {rest[0]}" if text else rest[0]
        if len(longer) > room:
            break
        text = longer
        del rest[0]
    if not rest:
        return text
    if not text:
        text = f"{rest.pop(0)[: room - 1]}…"
    return f"{text} and {len(rest)} more" if rest else text
