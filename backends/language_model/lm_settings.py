"""The parameters of a language model's config, as typed values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ort_checks import ConfigError

# What a config may leave out.
_DEFAULTS = {"max_waiting": "64", "patience_seconds": "120"}


@dataclass(frozen=True)
class NucleusSettings:
    """Sampling as Hugging Face's `generate` does it."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


@dataclass(frozen=True)
class RasSettings:
    """Repetition-aware sampling, as CosyVoice2 does it."""

    top_p: float
    top_k: int
    window: int
    tau: float


@dataclass(frozen=True)
class Settings:
    """What the backend has to know of a graph.

    `ids` is how many ids the graph takes, of which code k is `first_code + k`; of the logits, the first `codes` are
    codes and the others ends. `layers`, `heads` and `head_size` are those of keys and values, `context` is how many ids
    a prompt and its codes may have together. `max_rows` generations run at once and `max_waiting` wait. One that nobody
    asks for within `patience_seconds` is dropped.
    """

    ids: int
    first_code: int
    codes: int
    layers: int
    heads: int
    head_size: int
    context: int
    max_rows: int
    max_waiting: int
    patience_seconds: float
    sampler: NucleusSettings | RasSettings

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Settings:
        """Raises `ConfigError` for a parameter that is missing or makes no sense."""
        read = _Reader({**_DEFAULTS, **values})
        settings = cls(
            ids=read.whole("ids", 1),
            first_code=read.whole("first_code", 0),
            codes=read.whole("codes", 1),
            layers=read.whole("layers", 1),
            heads=read.whole("heads", 1),
            head_size=read.whole("head_size", 1),
            context=read.whole("context", 2),
            max_rows=read.whole("max_rows", 1, 1024),
            max_waiting=read.whole("max_waiting", 0),
            patience_seconds=read.number("patience_seconds", 0.01, 86400),
            sampler=_sampler(read),
        )
        if settings.first_code + settings.codes > settings.ids:
            raise ConfigError(
                f"the last code is id {settings.first_code + settings.codes - 1}, but there are {settings.ids} ids"
            )
        return settings


def _sampler(read: _Reader) -> NucleusSettings | RasSettings:
    name = read.text("sampler")
    if name == "nucleus":
        return NucleusSettings(
            temperature=read.number("temperature", 1e-3, 100),
            top_k=read.whole("top_k", 1),
            top_p=read.number("top_p", 1e-6, 1),
            repetition_penalty=read.number("repetition_penalty", 1e-3, 1000),
        )
    if name == "ras":
        return RasSettings(
            top_p=read.number("top_p", 1e-6, 1),
            top_k=read.whole("top_k", 1),
            window=read.whole("window", 0),
            tau=read.number("tau", 0, 1),
        )
    raise ConfigError(f'the parameter "sampler" is "{name}": it must be nucleus or ras')


class _Reader:
    """Text values by their names."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str:
        if name not in self._values:
            raise ConfigError(f'the config lacks the parameter "{name}": export the voice again')
        return self._values[name].strip()

    def whole(self, name: str, least: int, most: int = 1 << 31) -> int:
        text = self.text(name)
        if not (text.isascii() and text.isdigit()) or not least <= int(text) <= most:
            raise ConfigError(f'the parameter "{name}" is "{text}": it must be a whole number from {least} to {most}')
        return int(text)

    def number(self, name: str, least: float, most: float) -> float:
        text = self.text(name)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not least <= value <= most:
            raise ConfigError(f'the parameter "{name}" is "{text}": it must be a number from {least:g} to {most:g}')
        return value
