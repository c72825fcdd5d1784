"""Writes voices and configs into a Triton model repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from export import configs, manifest
from export.bundle import Bundle
from export.errors import ExportError
from export.families.fastspeech2 import demo, stages
from export.onnx_export import export_stage, write_atomically
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


def voice_configs(voice: Voice, specs: tuple[StageSpec, ...]) -> dict[Path, str]:
    """The config files of a voice, by their path inside the repository."""
    files = {Path(f"{voice.name}_{spec.role}/config.pbtxt"): configs.stage(voice.name, spec) for spec in specs}
    is_default = voice.name == DEFAULT_VOICE
    files[Path(voice.name, "config.pbtxt")] = configs.ensemble(voice, specs, is_default=is_default)
    return {path: configs.render(config) for path, config in files.items()}


def checked_in_configs() -> dict[Path, str]:
    """The configs that live in git: those of the shared models and of the demo voice."""
    files = {Path(m.name, "config.pbtxt"): configs.render(configs.python_model(m)) for m in SHARED}
    acoustic, vocoder = demo.ACOUSTIC_CONFIG, demo.VOCODER_CONFIG
    specs = (stages.encoder_spec(acoustic), stages.decoder_spec(acoustic), stages.melgan_spec(vocoder))
    return files | voice_configs(demo.voice(DEFAULT_VOICE, vocoder.hop_length), specs)


def write_voice(bundle: Bundle, repository: Path, report: Report) -> None:
    """Export a voice's stages, configs and `voice.json` into a repository; `report` is told of each step.

    Each file is written beside its place and renamed. Raises `SpecError` when a graph does not match its stage.
    """
    voice = bundle.voice
    for stage in bundle.stages:
        model_name = f"{voice.name}_{stage.spec.role}"
        model = repository / model_name / "1" / "model.onnx"
        report(f"exporting {model_name}")
        error = export_stage(stage, model)
        text = manifest.manifest(
            family=voice.family,
            role=stage.spec.role,
            model=model,
            sources=bundle.sources,
            precision="fp32",
            error=error,
        )
        write_text(model.with_name(manifest.FILE_NAME), text)
        report(f"exported {model_name}: largest error {error:.1e}")
    for path, text in voice_configs(voice, tuple(stage.spec for stage in bundle.stages)).items():
        write_text(repository / path, text)
    # Triton wants a version folder even where there is nothing to put into it.
    (repository / voice.name / "1").mkdir(parents=True, exist_ok=True)
    # The voice file comes last: the text front end offers a voice when it finds one.
    write_text(repository / voice.name / FILE_NAME, voice.file(bundle.symbols))
