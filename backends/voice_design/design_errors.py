"""How a design may end without a bundle."""

from __future__ import annotations


class RefusedDesignError(Exception):
    """What is asked for cannot be designed, however often it is asked: the message says what to change.

    Such an answer may be kept, as a bundle may. `code` is the name of a Triton error code.
    """

    code = "INVALID_ARG"


class FailedDesignError(Exception):
    """A model gave nothing that a voice could be made of; the message says what to do."""


class SettingsError(Exception):
    """A file of the model is missing, damaged or of another version."""
