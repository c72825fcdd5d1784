"""Writes voices and configs into a Triton model repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from export import configs, manifest
from export.bundle import Bundle
from export.errors import ExportError
from export.families.fastspeech2 import demo, stages
from export.onnx_export import export_stage, write_atomically
from export.profile_values import PLAIN, PROFILES
from export.profiles import Profile
from export.shared_models import SHARED
from export.specs import StageSpec
from export.voice import FILE_NAME, Voice

DEFAULT_VOICE = "demo"

Report = Callable[[str], None]


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; an equal one is left alone, so that its time stamp tells of a change."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_atomically(path, text.encode("utf-8"))


def check_name(name: str) -> None:
    """Refuse a voice name that cannot be a folder and a model name, or that is taken by a shared model."""
    if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum():
        raise ExportError(f"'{name}' cannot name a voice: use letters, digits, - and _")
    if name in {model.name for model in SHARED}:
        raise ExportError(f"'{name}' is the name of a shared model: choose another for the voice")


def voice_configs(voice: Voice, specs: Sequence[StageSpec]) -> dict[Path, str]:
    """The config files of a voice in every profile, by their path inside the repository."""
    files: dict[Path, str] = {}
    for spec in specs:
        files |= _per_profile(partial(configs.stage, voice.name, spec))
    return files | _per_profile(partial(configs.ensemble, voice, specs, is_default=voice.name == DEFAULT_VOICE))


def checked_in_configs() -> dict[Path, str]:
    """The configs that live in git: those of the shared models and of the demo voice."""
    files: dict[Path, str] = {}
    for model in SHARED:
        files |= _per_profile(partial(configs.python_model, model))
    specs = stages.specs(demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG)
    return files | voice_configs(demo.voice(DEFAULT_VOICE, demo.VOCODER_CONFIG.hop_length), specs)


def _per_profile(config: Callable[[Profile], pb.ModelConfig]) -> dict[Path, str]:
    """A model's `config.pbtxt`, and a file for each profile in which it is a different one."""
    plain = config(PLAIN)
    files = {Path(plain.name, "config.pbtxt"): configs.render(plain)}
    for profile in PROFILES.values():
        if (own := config(profile)) != plain:
            files[Path(plain.name, "configs", f"{profile.name}.pbtxt")] = configs.render(own)
    return files


def superfluous(repository: Path, files: Collection[Path]) -> list[Path]:
    """Profile configs of the models in `files` that are not among them, by their path inside the repository."""
    models = {path.parts[0] for path in files}
    found = (path.relative_to(repository) for model in models for path in (repository / model).glob("configs/*.pbtxt"))
    return sorted(path for path in found if path not in files)


def write_configs(repository: Path, files: Mapping[Path, str]) -> None:
    """Write configs into a repository, and remove the models' superfluous ones."""
    for path, text in files.items():
        write_text(repository / path, text)
    for path in superfluous(repository, files):
        (repository / path).unlink()


def write_voice(bundle: Bundle, repository: Path, report: Report) -> None:
    """Export a voice's stages, configs and `voice.json` into a repository; `report` is told of each step.

    Each file is written beside its place and renamed. Raises `SpecError` when a graph does not match its stage.
    """
    voice = bundle.voice
    for stage in bundle.stages:
        model_name = f"{voice.name}_{stage.spec.role}"
        model = repository / model_name / "1" / "model.onnx"
        report(f"exporting {model_name}")
        accuracy = export_stage(stage, model)
        text = manifest.manifest(
            family=voice.family,
            role=stage.spec.role,
            model=model,
            sources=bundle.sources,
            precision=stage.spec.precisions[0].value,
            accuracy=accuracy,
        )
        write_text(model.with_name(manifest.FILE_NAME), text)
        report(f"exported {model_name}: {accuracy}")
    write_configs(repository, voice_configs(voice, [stage.spec for stage in bundle.stages]))
    # Triton wants a version folder even where there is nothing to put into it.
    (repository / voice.name / "1").mkdir(parents=True, exist_ok=True)
    # The voice file comes last: the text front end offers a voice when it finds one.
    write_text(repository / voice.name / FILE_NAME, voice.file(bundle.symbols))
