"""Typed access to the settings of a checkpoint's config, with errors that say which one is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.errors import CheckpointError
from export.families.sculptor.hyper_yaml import Tagged

# Larger ones are a damaged config, which would only run out of memory.
MAX_SIZE = 1 << 20


class Settings:
    """Named settings, and where they stand: `file` and `place` are for the messages of `CheckpointError`."""

    def __init__(self, file: str, content: Mapping[str, Any], place: str = "") -> None:
        self.file = file
        self.content = content
        self.place = place

    def __contains__(self, name: str) -> bool:
        return name in self.content

    def section(self, name: str, *classes: str) -> Settings:
        """The settings under a name; with `classes`, their tag must name one of these classes."""
        value = self._value(name)
        inside = value.content if isinstance(value, Tagged) else value
        if classes and not (isinstance(value, Tagged) and value.name in classes):
            found = value.name[:60] if isinstance(value, Tagged) else "no class"
            raise self.wrong(name, found, " or ".join(classes))
        if not isinstance(inside, Mapping):
            raise self.wrong(name, inside, "a group of settings")
        return Settings(self.file, inside, f"{self._full(name)}.")

    def class_of(self, name: str) -> str:
        """The class that the tag of a section names, or an empty text."""
        value = self._value(name)
        return value.name if isinstance(value, Tagged) else ""

    def whole(self, name: str, least: int = 1, most: int = MAX_SIZE, default: int | None = None) -> int:
        """A whole number within bounds, both included."""
        value = self._value(name, default)
        if not _is_whole(value) or not least <= value <= most:
            raise self.wrong(name, value, f"a whole number from {least} to {most}")
        return int(value)

    def wholes(self, name: str, least: int = 1, most: int = MAX_SIZE) -> tuple[int, ...]:
        """A list of at least one whole number within bounds."""
        value = self._value(name)
        if not isinstance(value, list) or not value or not all(_is_whole(v) and least <= v <= most for v in value):
            raise self.wrong(name, value, f"a list of whole numbers from {least} to {most}")
        return tuple(value)

    def lists(self, name: str, least: int = 1, most: int = MAX_SIZE) -> tuple[tuple[int, ...], ...]:
        """A list of such lists."""
        value = self._value(name)
        if not isinstance(value, list) or not value:
            raise self.wrong(name, value, "a list of lists of whole numbers")
        parts = Settings(self.file, {f"{name}[{i}]": part for i, part in enumerate(value)}, self.place)
        return tuple(parts.wholes(part, least, most) for part in parts.content)

    def number(self, name: str, least: float, most: float, default: float | None = None) -> float:
        """A number within bounds, both included."""
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise self.wrong(name, value, f"a number from {least:g} to {most:g}")
        return float(value)

    def one_of(self, name: str, *values: object, default: object = None) -> None:
        """Check that a setting has a value that this project's modules are written for."""
        value = self._value(name, default)
        if not any(value == known and type(value) is type(known) for known in values):
            raise self.wrong(name, value, " or ".join(map(str, values)))

    def wrong(self, name: str, value: object, wanted: str) -> CheckpointError:
        """The error for a setting that is not as wanted."""
        return CheckpointError(
            f"{self.file}: {self._full(name)} is {str(value)[:60]}, not {wanted}: use the checkpoint's own config"
        )

    def _value(self, name: str, default: object = None) -> Any:
        value = self.content.get(name, default)
        if value is None:
            raise CheckpointError(f"{self.file} has no {self._full(name)}: use the checkpoint's own config")
        return value

    def _full(self, name: str) -> str:
        return f"{self.place}{name}"


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
