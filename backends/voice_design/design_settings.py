"""What a voice's designer must know of its models: `design.json`, typed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt
from design_errors import SettingsError

FILE_NAME = "design.json"


@dataclass(frozen=True)
class Model:
    """A model of this server: its name, and those of its tensors in the order of the graph."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


Arrays = dict[str, npt.NDArray[Any]]
# (model, inputs) → its outputs in the order of its settings
Infer = Callable[[Model, Arrays], list[npt.NDArray[Any]]]


@dataclass(frozen=True)
class Template:
    """The ids around what is tokenised: `before` · instruction · `between` · tags · sentence · `after`.

    `tags` has those of each value of an attribute. No text that a user sends becomes any of them.
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    tags: dict[str, tuple[int, ...]]
    after: tuple[int, ...]


@dataclass(frozen=True)
class Codes:
    """Bounds on the speech that the language model writes.

    `context` counts ids, those of the prompt included, and `per_second` the codes of a second of speech. Fewer than
    `least_seconds` of speech are none; longer speech is cut at `most_seconds`.
    """

    context: int
    per_second: float
    least_seconds: float
    most_seconds: float


@dataclass(frozen=True)
class Rates:
    """Samples per second: of what the codec makes, and of what the three others are for."""

    codec: int
    speech_tokenizer: int
    campplus: int
    prompt_mel: int


@dataclass(frozen=True)
class Settings:
    """All of `design.json`.

    `sentence` is what every designed voice says once. `attributes` are the values of each attribute, in the order in
    which their tags stand. `most_characters` is the longest instruction. `speech_tokens` is how many different ones
    there are.
    """

    sentence: str
    attributes: dict[str, tuple[str, ...]]
    most_characters: int
    template: Template
    codes: Codes
    rates: Rates
    speech_tokens: int
    llasa: Model
    xcodec2: Model
    speech_tokenizer: Model
    campplus: Model

    @classmethod
    def read(cls, path: Path) -> Settings:
        """The settings in a file. Raises `SettingsError`."""
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            models = {role: _model(content["models"][role]) for role in _TENSORS}
            settings = cls(
                sentence=str(content["sentence"]),
                attributes={str(name): _texts(values) for name, values in content["attributes"].items()},
                most_characters=int(content["most_characters"]),
                template=_template(content["template"]),
                codes=Codes(**content["codes"]),
                rates=Rates(**content["rates"]),
                speech_tokens=int(content["speech_tokens"]),
                **models,
            )
        except OSError as error:
            raise SettingsError(f"cannot read {path}: {error.strerror or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"{path} is not of this version ({error!r}): export the voice again") from error
        settings._check(path)
        return settings

    def _check(self, path: Path) -> None:
        values = [value for table in self.attributes.values() for value in table]
        if missing := [value for value in values if value not in self.template.tags]:
            raise SettingsError(f"{path} has no tag for {missing[0]}: export the voice again")
        for role, (inputs, outputs) in _TENSORS.items():
            model: Model = getattr(self, role)
            if (len(model.inputs), len(model.outputs)) != (inputs, outputs):
                raise SettingsError(f"{path} has {role} with other inputs or outputs: export the voice again")
        codes = self.codes
        if not 0 < codes.least_seconds <= codes.most_seconds or codes.per_second <= 0:
            raise SettingsError(f"{path}: codes must have a rate and 0 < least_seconds <= most_seconds")


# Inputs and outputs of the models that are called, but for the language model's, whose inputs have fixed names.
_TENSORS = {"llasa": (0, 2), "xcodec2": (1, 1), "speech_tokenizer": (2, 1), "campplus": (1, 1)}


def _model(content: Mapping[str, Any]) -> Model:
    return Model(str(content["name"]), _texts(content["inputs"]), _texts(content["outputs"]))


def _template(content: Mapping[str, Any]) -> Template:
    return Template(
        before=_ids(content["before"]),
        between=_ids(content["between"]),
        tags={str(value): _ids(ids) for value, ids in content["tags"].items()},
        after=_ids(content["after"]),
    )


def _ids(values: Sequence[int]) -> tuple[int, ...]:
    return tuple(int(value) for value in values)


def _texts(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
