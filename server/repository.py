"""What a model repository holds, as far as the launcher must know before it starts a server."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from server.errors import RepositoryError, UnknownProfile
from server.plans import SUFFIX

PLAIN = "cpu"  # the profile of the plain config.pbtxt


def models(repository: Path) -> tuple[str, ...]:
    """The names of the models: folders with a config or a numbered version."""
    if not repository.is_dir():
        raise RepositoryError(f"the model repository {repository} does not exist")
    found = tuple(sorted(folder.name for folder in repository.iterdir() if _is_model(folder)))
    if not found:
        raise RepositoryError(f"the model repository {repository} holds no model")
    return found


def profiles(repository: Path) -> tuple[str, ...]:
    """The profiles for which at least one model has a config of its own, and ``cpu``."""
    named = {config.stem.removesuffix(SUFFIX) for config in repository.glob("*/configs/*.pbtxt")}
    return (PLAIN, *sorted(named - {PLAIN}))


def config_name(repository: Path, profile: str | None) -> str | None:
    """The value of --model-config-name for a profile; None for the plain configs."""
    if profile is None or profile == PLAIN:
        return None
    known = profiles(repository)
    if profile not in known:
        raise UnknownProfile(f'the profile "{profile}" is unknown: this repository has {", ".join(known)}')
    return profile


def voices(repository: Path) -> tuple[str, ...]:
    """The names of the voices: the ensembles that the exporter described in a ``voice.json``."""
    return tuple(sorted(file.parent.name for file in repository.glob("*/voice.json")))


def shared(repository: Path) -> tuple[str, ...]:
    """The models that belong to no voice, and that every voice needs."""
    return tuple(model for model in models(repository) if voice_of(model, voices(repository)) is None)


def voice_of(model: str, known: Iterable[str]) -> str | None:
    """The voice that a model belongs to: itself, or the longest that its name begins with."""
    owners = [voice for voice in known if model == voice or model.startswith(f"{voice}_")]
    return max(owners, key=len, default=None)


def _is_model(folder: Path) -> bool:
    if folder.name.startswith(".") or not folder.is_dir():
        return False
    if (folder / "config.pbtxt").is_file() or (folder / "configs").is_dir():
        return True
    return any(child.name.isdigit() and child.is_dir() for child in folder.iterdir())
