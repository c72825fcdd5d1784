"""How a request may end without audio; `code` is the name of a Triton error code."""

from __future__ import annotations

import re

# How Python, numpy, C++, ONNX Runtime, CUDA, TensorRT and Triton's own backend for Python say it.
_OUT_OF_MEMORY = re.compile(
    r"out ?of ?memory|MemoryError|bad_alloc|(?:unable to|failed to|cannot|could not) allocate"
    r"|shared memory pool size|smaller than requested bytes",
    re.IGNORECASE,
)


class FrontDoorError(Exception):
    """The request cannot be answered; the message says why and what to do."""

    code = "INTERNAL"


class RequestError(FrontDoorError):
    """The request itself is wrong."""

    code = "INVALID_ARG"


class RefusedError(FrontDoorError):
    """The text front end refused the request, with a code of its own."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class TextRefusedError(RequestError):
    """A text has nothing that can be said; another part of the request may have."""


class UnavailableError(FrontDoorError):
    """It cannot be answered now; another try may be."""

    code = "UNAVAILABLE"


class DeadlineError(FrontDoorError):
    """The request's time is over."""

    code = "DEADLINE_EXCEEDED"


class StageError(FrontDoorError):
    """A stage failed."""


class CancelledError(Exception):
    """Nobody waits for the answer any more."""


def is_out_of_memory(message: str) -> bool:
    """Whether an error of a stage says that it got no memory, the host's or a GPU's."""
    return bool(_OUT_OF_MEMORY.search(message))
