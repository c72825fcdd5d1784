"""Voices of random weights, exported: they cost what trained ones do."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export.bundle import Bundle, Choice, Stage
from export.families import sculptor
from export.families.sculptor.description import ATTRIBUTES
from export.families.sculptor.language_model import LanguageModelPart
from export.families.sculptor.untrained_cosyvoice import write_cosyvoice
from export.families.sculptor.untrained_language import Weights
from export.families.sculptor.untrained_llasa import write_llasa
from export.families.sculptor.untrained_sizes import Size, cosyvoice_sizes, llasa_sizes, xcodec2_sizes
from export.families.sculptor.untrained_xcodec2 import write_xcodec2
from export.graph_files import save
from export.onnx_export import traced
from export.repository import write_voice
from export.specs import Precision

if TYPE_CHECKING:
    from bench.sculptor.setting import SculptorSetting

_NAME = "sculptor"
LM, LLASA = "lm", "llasa"
LANGUAGE_MODELS = (LM, LLASA)
# Of a tokenizer: the values of all attributes.
TAGS = tuple(value for values in ATTRIBUTES.values() for value in values)


@dataclass(frozen=True)
class Made:
    """A voice: its modules, the repository that it was exported into, and how many seconds that took."""

    size: str
    bundle: Bundle
    repository: Path
    seconds: float

    def stage(self, role: str) -> Stage:
        """One that is a run of one graph."""
        (found,) = (stage for stage in self.bundle.stages if stage.spec.role == role)
        return found

    def has(self, role: str) -> bool:
        """Whether there is such a part."""
        return any(part.role == role for part in self.bundle.parts)

    def language_model(self, role: str) -> LanguageModelPart:
        (found,) = (part for part in self.bundle.parts if part.role == role)
        assert isinstance(found, LanguageModelPart)
        return found

    @property
    def name(self) -> str:
        """The voice's."""
        return self.bundle.voice.name

    def folder(self, role: str) -> Path:
        """Where its files are."""
        return self.repository / f"{self.name}_{role}" / "1"

    def file(self, stage: Stage, precision: Precision = Precision.FP32) -> Path:
        return self.folder(stage.spec.role) / stage.spec.file_name(precision)


def make(setting: SculptorSetting, size: str) -> Made:
    """Write a checkpoint of that size into an empty folder, and export it in float32.

    The full one is xcodec2 and CosyVoice2-0.5B, as graphs alone: it is not served, the exporter's checks in float64
    take minutes, and LLaSA has a section of its own.
    """
    folder = setting.work / size
    shutil.rmtree(folder, ignore_errors=True)
    repository = folder / "model_repository"
    setting.tell(f"exporting a voice of random weights, {size}")
    begin = time.perf_counter()
    checkpoint = folder / "checkpoint"
    checkpoint.mkdir(parents=True)
    known: Size = "full" if size == "full" else "small"
    write_llasa(checkpoint / "llasa", llasa_sizes("small", "1b"), Weights(0), TAGS)
    write_xcodec2(checkpoint / "xcodec2", xcodec2_sizes(known), Weights(1))
    write_cosyvoice(checkpoint / "cosyvoice2", cosyvoice_sizes(known), Weights(2))
    bundle = sculptor.bundle(checkpoint, _NAME, Choice()).only(())
    if size == "full":
        bundle = replace(bundle, parts=tuple(part for part in bundle.parts if part.role == LM))
    made = Made(size, bundle, repository, 0.0)
    if size == "full":
        for stage in (*bundle.stages, made.language_model(LM).stage):
            setting.tell(f"exporting {stage.spec.role}")
            save(traced(stage), made.file(stage))
    else:
        ignored = shutil.ignore_patterns("__pycache__", ".export-*")
        shutil.copytree(setting.repository, repository, ignore=ignored)
        write_voice(bundle, repository, lambda _: None)
    shutil.rmtree(checkpoint)
    return replace(made, seconds=time.perf_counter() - begin)
