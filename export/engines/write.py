"""Builds the plans of voices into their repository."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export import configs
from export.change import Change, changing
from export.engines import forms, library
from export.engines.builder import BuildOptions, build
from export.engines.progress import Progress
from export.engines.shapes import optimisation_profiles
from export.errors import EngineError, ExportError, listed
from export.profiles import Profile
from export.specs import Precision, StageKind, StageSpec
from export.voice import FILE_NAME as VOICE
from export.voice import VoiceFile
from server import plans
from server.hardware import Gpu
from server.plans import Contents, Plan

TIMING_CACHE = "timing.cache"


@dataclass(frozen=True)
class Workshop:
    """What plans are built with: TensorRT's module, the card, the builder's options, and the file of its timings."""

    trt: Any
    gpu: Gpu
    options: BuildOptions
    timing_cache: Path


def write_engines(
    repository: Path, voices: Sequence[str], profile: Profile, workshop: Workshop, report: Callable[[str], None]
) -> None:
    """Build the plans of the voices' stages for a hardware profile, and write the configs that serve by them.

    A stage stays ONNX that is for the CPU (the style) or is computed in int8, and a model stays as it is that is no
    stage (a language model). Plans for another profile are taken away:
    a repository has those of one machine. Raises `ExportError`, and the repository is then as it was before.
    """
    known = sorted(path.parent.name for path in repository.glob(f"*/{VOICE}"))
    for voice in voices:
        if voice not in known:
            raise ExportError(f"{repository} has no voice '{voice[:60]}': it has {listed(known) or 'none'}")
    name = profile.name + plans.SUFFIX
    with changing(repository) as change:
        for voice in voices:
            for role in VoiceFile.read(repository / voice / VOICE).voice.stages:
                _write_stage(change, voice, role, profile, workshop, report)
        models = sorted(path.parent.name for path in repository.glob("*/config.pbtxt"))
        forms.complete(change, models, name)
        for path in _others(repository, name):
            change.remove(path)
            report(f"removed {path}: the plans are now for the profile {profile.name}")


def _write_stage(
    change: Change,
    voice: str,
    role: str,
    profile: Profile,
    workshop: Workshop,
    report: Callable[[str], None],
) -> None:
    model = f"{voice}_{role}"
    config = configs.read(change.repository / model / "config.pbtxt")
    if config.backend != "onnxruntime" or not config.max_batch_size:
        report(f"{model} stays as it is: it is not one run of one graph for a batch")
        return
    folder = change.repository / model / "1"
    spec, exported = _manifest(folder / forms.MANIFEST)
    file = spec.file_name(profile.precision)
    precision = spec.files()[file]
    if spec.kind is StageKind.STYLE or precision is Precision.INT8:
        report(f"{model} stays ONNX: {'it is small' if spec.kind is StageKind.STYLE else 'it computes in int8'}")
        return
    onnx = folder / file
    if not onnx.is_file() or plans.sha256(onnx) != exported.get(file):
        raise EngineError(f"{onnx} is missing or not what was exported: export the voice {voice} again")
    shapes = optimisation_profiles(spec, profile.serving(spec.kind))
    report(f"building {model} of {file}")
    begin = time.monotonic()
    cache = workshop.timing_cache.read_bytes() if workshop.timing_cache.is_file() else b""
    progress = Progress(model, sys.stderr)
    data, learnt = build(workshop.trt, onnx, shapes, workshop.options, cache, progress)
    seconds = round(time.monotonic() - begin, 1)
    # At once, so that what was measured is not measured again after a failure.
    _replace(workshop.timing_cache, learnt)
    path = change.folder / model / "1" / plans.PLAN_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    plan = Plan(
        tensorrt=library.version(workshop.trt),
        gpu=workshop.gpu.name,
        compute_capability=workshop.gpu.compute_capability,
        gpu_memory=workshop.gpu.memory,
        driver=workshop.gpu.driver,
        profile=profile.name,
        precision=precision.value,
        onnx=Contents.of(onnx),
        plan=Contents.of(path),
        shapes=shapes,
        build_seconds=seconds,
    )
    change.write_text(Path(model, "1", plans.FILE_NAME), plan.text())
    served = Path(model, "configs", f"{profile.name}{plans.SUFFIX}.pbtxt")
    change.write_text(served, configs.render(configs.planned_stage(voice, spec, profile)))
    report(f"built {model}: {len(data) / 1e6:.1f} MB in {seconds} s")


def _manifest(path: Path) -> tuple[StageSpec, dict[str, str]]:
    """A stage's specification, and the SHA-256 of its ONNX files by their names. Raises `EngineError`."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {name: file["sha256"] for name, file in content["files"].items()}
        return StageSpec.from_dict(content["spec"]), files
    except OSError as error:
        raise EngineError(f"{path} cannot be read ({error.strerror}): export the voice again") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(f"{path} is of another version: export the voice again") from error


def _others(repository: Path, name: str) -> Iterator[Path]:
    """The configs for the plans of other profiles."""
    for path in sorted(repository.glob(f"*/configs/*{plans.SUFFIX}.pbtxt")):
        if path.stem != name:
            yield path.relative_to(repository)


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that it is either whole or as it was."""
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(data)
    os.replace(new, path)
