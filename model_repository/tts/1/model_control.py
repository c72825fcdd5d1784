"""What the front door asks of the server's model control, and how that can fail."""

from __future__ import annotations

from typing import Literal, Protocol


class ControlError(Exception):
    """The server could not load or unload a model; the message is its reason."""


class NotManaged(ControlError):
    """The server loads all models at its start and none on demand."""


class VoiceUnavailable(Exception):
    """A voice or a model cannot answer now; the message says why and is meant for the client."""


class Control(Protocol):
    """The server's model control. All of it may block."""

    def ready(self, model: str) -> bool:
        """Whether the model answers."""

    def load(self, model: str) -> None:
        """Load a model; of an ensemble its steps, too. Raises `ControlError`."""

    def unload(self, model: str) -> None:
        """Unload a model. Raises `ControlError`."""


Reason = Literal["idle", "memory", "count"]


class Observer(Protocol):
    """Hears what was done with models, from any thread."""

    def loaded(self, voice: str) -> None:
        """A voice, or a stage of it that was missing, was loaded."""

    def unloaded(self, voice: str, reason: Reason) -> None:
        """A voice was unloaded."""

    def revived(self, model: str) -> None:
        """A model whose process had died was loaded again."""
