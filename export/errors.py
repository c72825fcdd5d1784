"""What can go wrong between a checkpoint and a repository."""


class ExportError(Exception):
    """Base of everything this package raises on purpose; the message is one sentence for the user."""


class CheckpointError(ExportError):
    """A checkpoint is missing, damaged or not of the layout that was asked for."""


class SpecError(ExportError):
    """A graph and its stage specification disagree."""
