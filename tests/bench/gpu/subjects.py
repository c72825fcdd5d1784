"""What is measured: stages of voices, exported into a repository of this benchmark's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from bench.setting import Skipped
from export.bundle import Arrays, Bundle, Choice, Stage
from export.families import fastspeech2, sambert
from export.families.fastspeech2 import demo
from export.families.sambert.untrained import write_untrained
from export.onnx_export import export_stage
from export.repository import write_voice
from export.specs import FLOATS, Precision, StageKind
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig
from export.vocoders.hifigan_served import ServedHiFiGAN
from export.vocoders.vocoder import normal_mel, vocoder_spec

if TYPE_CHECKING:
    from bench.gpu.setting import GpuSetting

SAMBERT, HIFIGAN = "sambert", "hifigan_v1"
SAMBERT_RATE = 16000
# jik876's V1 (config_v1.json), which speaks 22.05 kHz.
V1_RATE = 22050
V1 = HiFiGANConfig(
    bands=80,
    channels=(512, 256, 128, 64, 32),
    kernel=7,
    scales=(8, 8, 2, 2),
    upsample_kernels=(16, 16, 4, 4),
    crops=(4, 4, 1, 1),
    block_kernels=(3, 7, 11),
    block_dilations=((1, 3, 5),) * 3,
    slope=0.1,
)


@dataclass(frozen=True)
class Subject:
    """A stage that is measured, and the folder with its ONNX files; a frame is `frame_seconds` of audio."""

    voice: str
    stage: Stage
    folder: Path
    frame_seconds: float

    @property
    def name(self) -> str:
        return f"{self.voice}.{self.stage.spec.role}"

    @property
    def is_vocoder(self) -> bool:
        return self.stage.spec.kind is StageKind.VOCODER

    def files(self) -> dict[Precision, Path]:
        """The ONNX files in floats that there are."""
        found = {precision: self.folder / self.stage.spec.file_name(precision) for precision in FLOATS}
        known = self.stage.spec.precisions
        return {precision: path for precision, path in found.items() if precision in known and path.is_file()}

    def inputs(self, batch: int, lengths: Mapping[str, int]) -> Arrays:
        """Valid ones, the same each time."""
        return self.stage.sample(batch, lengths, np.random.default_rng(0))


@dataclass(frozen=True)
class Subjects:
    """The stages, and a repository with the voices `demo` and `sambert` for a server."""

    repository: Path
    stages: tuple[Subject, ...]

    def __iter__(self) -> Iterator[Subject]:
        return iter(self.stages)


def lengths(subject: Subject, *, quick: bool) -> dict[str, int]:
    """Units and frames of a usual clause, by the names of the axes."""
    return {axis.label: axis.minimum if quick else axis.optimum for axis in subject.stage.spec.axes()}


def prepare(setting: GpuSetting) -> Subjects:
    """Export everything into an empty `setting.work`. Raises `Skipped` where the demo voice is missing."""
    checkpoint = setting.repository.parent / demo.DIRECTORY
    if not checkpoint.is_dir() or not (setting.repository / "demo" / "voice.json").is_file():
        raise Skipped(
            "the demo voice is not there: run scripts/setup, and copy checkpoints/ and model_repository/ along"
        )
    shutil.rmtree(setting.work, ignore_errors=True)
    repository = setting.work / "model_repository"
    shutil.copytree(setting.repository, repository, ignore=shutil.ignore_patterns("__pycache__", ".export-*"))
    voice = _sambert(setting, repository)
    setting.tell("exporting HiFi-GAN V1 of random weights")
    stages = (
        *_voice(fastspeech2.bundle(checkpoint, "demo", Choice()), repository),
        *_voice(voice, repository),
        _hifigan(setting.work / HIFIGAN, quick=setting.quick),
    )
    return Subjects(repository, stages)


def _sambert(setting: GpuSetting, repository: Path) -> Bundle:
    """The voice, put into the repository."""
    if setting.sambert:
        for model in setting.sambert.repository.glob(f"{SAMBERT}*"):
            shutil.copytree(model, repository / model.name)
        return setting.sambert.bundle
    setting.tell("exporting a Sambert voice of random weights")
    made = setting.work / "checkpoint"
    write_untrained(made, SAMBERT_RATE, seed=0, size=setting.pick("full", "small"))
    voice = sambert.bundle(made, SAMBERT, Choice())
    write_voice(voice, repository, lambda _: None)
    return voice


def _voice(bundle: Bundle, repository: Path) -> Iterator[Subject]:
    """Its stages in floats, but for the style's, which is not of the audio path."""
    frame = bundle.voice.hop_length / bundle.voice.sample_rate
    for stage in bundle.stages:
        if stage.spec.kind is not StageKind.STYLE and stage.spec.precisions[0] is Precision.FP32:
            yield Subject(bundle.voice.name, stage, repository / f"{bundle.voice.name}_{stage.spec.role}" / "1", frame)


def _hifigan(folder: Path, *, quick: bool) -> Subject:
    config = replace(V1, channels=(64, 32, 16, 8, 8)) if quick else V1
    torch.manual_seed(0)
    generator = HiFiGAN(config).eval()
    stage = Stage(vocoder_spec("hifigan", config.bands, config.hop_length), ServedHiFiGAN(generator).eval(), normal_mel)
    export_stage(stage, folder)
    return Subject(HIFIGAN, stage, folder, config.hop_length / V1_RATE)
