"""Writes voices and configs into a Triton model repository."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from tritonclient.grpc import model_config_pb2 as pb

from export import configs, manifest
from export.bundle import Arrays, Bundle, Part, Stage
from export.change import Change, changing
from export.engines import forms
from export.errors import ExportError
from export.families.fastspeech2 import demo, stages
from export.onnx_export import export_stage
from export.profile_values import PLAIN, PROFILES
from export.profiles import Profile
from export.rehearsal import rehearse
from export.shared_models import SHARED
from export.specs import StageSpec
from export.voice import FILE_NAME, Voice, VoiceFile
from server.plans import SUFFIX

DEFAULT_VOICE = "demo"

Report = Callable[[str], None]


def check_name(name: str) -> None:
    """Refuse a voice name that cannot be a folder and a model name, or that is taken by a shared model."""
    if not name.isascii() or not name.replace("_", "").replace("-", "").isalnum():
        raise ExportError(f"'{name}' cannot name a voice: use letters, digits, - and _")
    if name in {model.name for model in SHARED}:
        raise ExportError(f"'{name}' is the name of a shared model: choose another for the voice")


def voice_configs(voice: Voice, specs: Sequence[StageSpec], parts: Sequence[Part] = ()) -> dict[Path, str]:
    """The config files of a voice in every profile, by their path inside the repository."""
    files: dict[Path, str] = {}
    steps: dict[str, configs.Step] = {}
    for spec in specs:
        files |= stage_configs(voice.name, spec)
        steps[spec.role] = configs.Step.of(f"{voice.name}_{spec.role}", spec)
    for part in parts:
        model = f"{voice.name}_{part.role}"
        files |= _per_profile(partial(part.config, model))
        steps[part.role] = configs.Step.parse(files[Path(model, "config.pbtxt")])
    return files | ensemble_configs(voice, steps)


def stage_configs(voice: str, spec: StageSpec) -> dict[Path, str]:
    """The config files of a voice's stage in every profile."""
    return _per_profile(partial(configs.stage, voice, spec))


def ensemble_configs(voice: Voice, steps: Mapping[str, configs.Step]) -> dict[Path, str]:
    """The config files of a voice's ensemble in every profile; `steps` are its stages by their roles."""
    if voice.design is not None:
        return _per_profile(partial(configs.design_ensemble, voice, steps["style"]))
    return _per_profile(partial(configs.ensemble, voice, steps, is_default=voice.name == DEFAULT_VOICE))


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
    return sorted(path for path in found if path not in files and not path.stem.endswith(SUFFIX))


def put_configs(change: Change, files: Mapping[Path, str]) -> None:
    """Make configs a part of a change, and remove the models' superfluous ones."""
    for path, text in files.items():
        change.write_text(path, text)
    for path in superfluous(change.repository, files):
        change.remove(path)
    for name in forms.names(change.repository):
        forms.complete(change, {path.parts[0] for path in files}, name)


def put_stage(
    change: Change,
    voice: Voice,
    stage: Stage,
    sources: Mapping[str, str],
    report: Report,
    spoken: Arrays | None = None,
) -> None:
    """Export a stage's graphs and its manifest as a part of a change, and remove others. Raises `SpecError`.

    `spoken` are inputs as the voice's other stages make them.
    """
    spec = stage.spec
    model = f"{voice.name}_{spec.role}"
    folder = change.folder / model / "1"
    report(f"exporting {model}")
    accuracy = export_stage(stage, folder, spoken)
    content = manifest.manifest(family=voice.family, spec=spec, folder=folder, sources=sources, accuracy=accuracy)
    change.write_text(Path(model, "1", manifest.FILE_NAME), manifest.text(content))
    for path in (change.repository / model / "1").glob("*.onnx"):
        if path.name not in spec.files():
            change.remove(path.relative_to(change.repository))
            report(f"removed {model}/1/{path.name}, a precision that the stage is not to have")
    report(f"exported {model}: {accuracy}")


def _put_part(change: Change, model: str, part: Part, report: Report) -> None:
    """Make a part of a voice a part of a change, and remove what it had before and has no more."""
    report(f"exporting {model}")
    folder = change.folder / model / "1"
    folder.mkdir(parents=True)
    part.put(change, model, report)
    for path in (change.repository / model / "1").glob("*"):
        if not (folder / path.name).exists():
            change.remove(path.relative_to(change.repository))
    report(f"exported {model}")


def write_voice(bundle: Bundle, repository: Path, report: Report, *, replace: bool = False) -> None:
    """Export a voice's stages, configs and `voice.json` into a repository; `report` is told of each step.

    With `replace` a voice of that name from another checkpoint gives way. Raises `ExportError`, and the repository is
    then as it was before.
    """
    voice = bundle.voice
    sources = manifest.checksums(bundle.sources)
    with changing(repository) as change:
        before = _before(voice, sources, repository, replace=replace)
        spoken = rehearse(bundle.stages)
        for stage in bundle.stages:
            put_stage(change, voice, stage, sources, report, spoken.get(stage.spec.role))
        for part in bundle.parts:
            _put_part(change, f"{voice.name}_{part.role}", part, report)
        put_configs(change, voice_configs(voice, [stage.spec for stage in bundle.stages], bundle.parts))
        (change.folder / voice.name / "1").mkdir(parents=True, exist_ok=True)
        for name, text in bundle.files.items():
            change.write_text(Path(voice.name, name), text)
        change.write_text(Path(voice.name, FILE_NAME), voice.file(bundle.symbols, sources))
        for role in sorted(set(before) - set(voice.stages)):
            change.remove(Path(f"{voice.name}_{role}"))
            report(f"removed {voice.name}_{role}, which the voice had before")


def _before(voice: Voice, sources: Mapping[str, str], repository: Path, *, replace: bool) -> tuple[str, ...]:
    """The stages of the voice that the new one takes the place of. Raises `ExportError` where it may not."""
    file = repository / voice.name / FILE_NAME
    if not file.is_file():
        taken = [name for name in _models(voice.name, voice.stages) if (repository / name).exists()]
        if taken and voice.name != DEFAULT_VOICE:
            raise ExportError(f"{repository} has a model '{taken[0]}' already: choose another name for the voice")
        return ()
    try:
        present = VoiceFile.read(file)
    except ExportError:
        # Of an older version, or damaged: exporting it again is the remedy.
        return ()
    if not replace and (present.voice.family, present.sources) != (voice.family, sources):
        raise ExportError(
            f"{repository} has a voice '{voice.name}' of another checkpoint ({present.voice.family}): choose another "
            "name, or replace it with --replace"
        )
    return present.voice.stages


def _models(voice: str, roles: Sequence[str]) -> list[str]:
    return [voice, *(f"{voice}_{role}" for role in roles)]
