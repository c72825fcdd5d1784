"""Whether a repository's TensorRT plans fit this machine, and by which configs it is therefore served."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from server import hardware
from server import repository as models
from server.hardware import Gpu
from server.plans import FILE_NAME, SUFFIX, Plan, PlanError, sha256


@dataclass(frozen=True)
class Form:
    """The configs to serve by (None for the plain ones), and what to tell: what runs the stages, and why not plans."""

    config_name: str | None
    engines: str = ""
    warning: str = ""


def choose(
    repository: Path,
    config_name: str | None,
    backends: Path,
    gpus: Callable[[], Sequence[Gpu]] = hardware.detect,
    tensorrt: Callable[[str], str | None] | None = None,
) -> Form:
    """The form in which to serve a profile: by its plans if all of them fit, else by its ONNX files.

    `backends` is the folder of the server's backends; `tensorrt` tells the version of a library of TensorRT.
    """
    built = {config.stem for config in repository.glob(f"*/configs/*{SUFFIX}.pbtxt")}
    if config_name is None or not built:
        return Form(config_name)
    try:
        found = next(_differences(repository, config_name, built, backends, gpus, tensorrt or library_version), None)
    except OSError as error:
        found = f"{error.filename} cannot be read ({error.strerror})"
    if found is None:
        return Form(config_name + SUFFIX, "TensorRT")
    known = models.voices(repository)
    voices = {models.voice_of(path.parts[-3], known) for path in repository.glob(f"*/1/{FILE_NAME}")} - {None}
    command = f"python -m export engines {' '.join(sorted(map(str, voices or known)))} --profile {config_name}"
    return Form(
        config_name,
        "ONNX",
        f"the TensorRT plans are not used: {found}; build them where they are served (docs/engines.md): "
        f"{command} --repository {repository}",
    )


def library_version(name: str) -> str | None:
    """The version of a shared library of TensorRT, 10.13.3.9 for example; None where there is none."""
    try:
        library = ctypes.CDLL(name)
        parts = [getattr(library, f"getInferLib{part}Version")() for part in ("Major", "Minor", "Patch", "Build")]
    except (OSError, AttributeError):
        return None
    return ".".join(map(str, parts))


def _differences(
    repository: Path,
    profile: str,
    built: set[str],
    backends: Path,
    gpus: Callable[[], Sequence[Gpu]],
    tensorrt: Callable[[str], str | None],
) -> Iterator[str]:
    """What keeps the plans from being served, each as a part of a sentence; the cheap questions first."""
    name = profile + SUFFIX
    if name not in built:
        yield f"they are for the profile {min(built).removesuffix(SUFFIX)}"
        return
    held = models.models(repository)
    yield from (f"{model} has no {name}.pbtxt" for model in held if not _config(repository, model, name).is_file())
    if not (backends / "tensorrt").is_dir():
        yield "this tritonserver has no TensorRT backend"
    cards = gpus()
    if not cards:
        yield "no NVIDIA GPU was found"
    for model in held:
        folder = repository / model / "1"
        if (folder / FILE_NAME).exists() or 'backend: "tensorrt"' in _text(_config(repository, model, name)):
            yield from (f"{model} {what}" for what in _misfits(folder, profile, cards, tensorrt))


def _misfits(folder: Path, profile: str, cards: Sequence[Gpu], tensorrt: Callable[[str], str | None]) -> Iterator[str]:
    """What is wrong with one plan."""
    try:
        plan = Plan.read(folder / FILE_NAME)
    except PlanError as error:
        yield f"has a plan of which nothing is known ({error})"
        return
    if plan.profile != profile:
        yield f"has a plan for the profile {plan.profile}"
    # The library has its major version in its name.
    version = tensorrt(f"libnvinfer.so.{plan.tensorrt.split('.')[0]}")
    if version != plan.tensorrt:
        yield f"was built by TensorRT {plan.tensorrt}, here is {version or 'another one or none'}"
    for card in cards:
        wanted, here = (plan.gpu, plan.compute_capability), (card.name, card.compute_capability)
        if wanted != here:
            yield "was built for {} ({}), here is {} ({})".format(*wanted, *here)
    for file in (plan.onnx, plan.plan):
        try:
            changed = sha256(folder / file.name) != file.sha256
        except OSError as error:
            yield f"lacks {file.name} ({error.strerror})"
            continue
        if changed:
            yield f"has another {file.name} than when its plan was built"


def _config(repository: Path, model: str, name: str) -> Path:
    return repository / model / "configs" / f"{name}.pbtxt"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
