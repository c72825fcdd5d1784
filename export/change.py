"""Changes to a model repository that are made as a whole or not at all.

A server holds a shared lock on the folder of the repository that it serves (the front door takes it), whoever changes
the repository an exclusive one. The lock is on the folder itself, so that it needs no file and works read-only.
"""

from __future__ import annotations

import fcntl
import filecmp
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from export.errors import ExportError
from export.voice import FILE_NAME

_STAGING = ".export-"


@dataclass
class Change:
    """What is to become of a repository: `folder` holds the new files by their path inside it."""

    repository: Path
    folder: Path
    removed: list[Path] = field(default_factory=list)

    def write_text(self, path: Path, text: str) -> None:
        """Put a text file to `path` inside the repository."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def remove(self, path: Path) -> None:
        """Take a file or a model's folder away, by its path inside the repository."""
        self.removed.append(path)

    def _apply(self) -> None:
        """Move everything into place; a voice's file last: the text front end offers a voice when it finds one."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        for file in sorted(files, key=lambda path: path.name == FILE_NAME):
            target = self.repository / file.relative_to(self.folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            # An equal file is left alone, so that its time stamp tells of a change.
            if not (target.is_file() and filecmp.cmp(file, target, shallow=False)):
                file.chmod(0o644)
                os.replace(file, target)
        # Triton wants a version folder even where there is nothing to put into it.
        for folder in self.folder.glob("*/1"):
            (self.repository / folder.relative_to(self.folder)).mkdir(parents=True, exist_ok=True)
        for path in self.removed:
            gone = self.repository / path
            if gone.is_dir():
                shutil.rmtree(gone)
            else:
                gone.unlink(missing_ok=True)


@contextmanager
def changing(repository: Path) -> Iterator[Change]:
    """A change of a repository, which is applied when the block ends without an error.

    Raises `ExportError` when the repository is being served, or changed by somebody else.
    """
    repository.mkdir(parents=True, exist_ok=True)
    with _locked(repository):
        for left in repository.glob(f"{_STAGING}*"):
            shutil.rmtree(left)  # of an export that was killed
        folder = Path(tempfile.mkdtemp(prefix=_STAGING, dir=repository))
        try:
            change = Change(repository, folder)
            yield change
            change._apply()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    handle = os.open(repository, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ExportError(
                f"{repository} is being served, or exported into, by another process: stop that one first, or export "
                "into another folder with --repository"
            ) from error
        yield
    finally:
        os.close(handle)
