"""`python -m export shared`: the models that every voice needs, in a repository that is not the checkout's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from export.change import changing
from export.engines import forms
from export.errors import ExportError
from export.shared_models import SHARED
from export.terminal import one_line_errors
from server.plans import SUFFIX

SOURCE = Path(__file__).resolve().parent.parent / "model_repository"
_MODELS = tuple(model.name for model in SHARED)
# What a repository has of its own: the words that its owner taught it, and what Python compiled.
_OWN = "dictionary.json"
_COMPILED = "__pycache__"


def shared(
    repository: Annotated[Path, typer.Option("--repository", help="Triton model repository.")],
) -> None:
    """Bring the models that all voices share into a repository, in this version."""
    with one_line_errors():
        count = put_shared(repository)
    typer.echo(f"the shared models of this version are in {repository}, {count} files")


def put_shared(repository: Path, source: Path = SOURCE) -> int:
    """Copy the shared models, take away what this version does not have any more, and count the files.

    Raises `ExportError`, and the repository is then as it was before.
    """
    if repository.resolve() == source.resolve():
        raise ExportError(f"{repository} is where the shared models come from: name another folder with --repository")
    with changing(repository) as change:
        files = _files(source)
        for path in files:
            (change.folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, change.folder / path)
        for path in _files(repository) - files:
            change.remove(path)
        for name in forms.names(repository):
            forms.complete(change, _MODELS, name)
    return len(files)


def _files(repository: Path) -> set[Path]:
    """The files of the shared models by their paths in the repository, but for those for plans, which are made."""
    found = {path for model in _MODELS for path in (repository / model).rglob("*") if path.is_file()}
    return {
        path.relative_to(repository)
        for path in found
        if path.name != _OWN and _COMPILED not in path.parts and not path.stem.endswith(SUFFIX)
    }
