"""What can go wrong around a server, each with one sentence for a person."""

from __future__ import annotations


class ServerError(Exception):
    """The server cannot do what was asked: one sentence, and in ``detail`` perhaps the end of the log."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class BadRequest(ServerError):
    """An argument is wrong: the caller can mend it."""


class RepositoryError(BadRequest):
    """The model repository is missing or holds no model."""


class UnknownProfile(BadRequest):
    """No model of the repository has a config for this profile."""


class PortInUse(BadRequest):
    """A port that was asked for cannot be bound."""


class ServerNotFound(ServerError):
    """There is no tritonserver on this machine."""


class UnfitEnvironment(ServerError):
    """This machine or Python environment cannot run the server that was found."""


class StartFailed(ServerError):
    """The process ended before it was ready."""


class PortRace(StartFailed):
    """A port that was free a moment ago was taken by somebody else before the server bound it."""


class NotReady(ServerError):
    """The server did not become ready in time."""


class ProbeFailed(ServerError):
    """The server says that it is ready, but a real request does not work."""


class GaveUp(ServerError):
    """The server cannot be kept running: its restarts fail, always for the same cause."""


class ServerDied(ServerError):
    """The process ended while it was in use."""
