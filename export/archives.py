"""Unpacks ZIP archives that are not trusted."""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from export.errors import CheckpointError

# More than any checkpoint has.
MAX_BYTES = 4 << 30
_MAX_FILES = 10_000
_ENCRYPTED = 0x1
# What reading a damaged archive raises.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OverflowError,
)


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    """A ZIP archive, open for reading. Raises `CheckpointError` when it is missing or damaged."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
    except DAMAGED as error:
        raise _damaged(path) from error
    with archive:
        yield archive


def unpacked_size(archive: zipfile.ZipFile) -> int:
    """The bytes that an archive says it unpacks to; `zipfile` unpacks no more than that."""
    return sum(entry.file_size for entry in archive.infolist())


def unpack_zip(path: Path, folder: Path) -> None:
    """Unpack an archive into a folder, which is made if need be.

    Raises `CheckpointError`, before anything is unpacked, for an archive that is damaged, encrypted or larger than
    4 GiB, or that has an absolute path, a path out of the folder or a link in it.
    """
    with _open(path) as archive:
        for entry in archive.infolist():
            _check_entry(entry, path)
        if unpacked_size(archive) > MAX_BYTES or len(archive.infolist()) > _MAX_FILES:
            raise CheckpointError(
                f"{path} unpacks to more than {MAX_BYTES >> 30} GiB or {_MAX_FILES} files: it is not unpacked"
            )
        try:
            whole = archive.testzip() is None
        except DAMAGED as error:
            raise _damaged(path) from error
        if not whole:
            raise _damaged(path)
        try:
            archive.extractall(folder)
        except OSError as error:
            raise CheckpointError(f"cannot unpack {path} into {folder}: {error.strerror or error}") from error


def _check_entry(entry: zipfile.ZipInfo, path: Path) -> None:
    # Names as they are in the archive: zipfile would quietly change them, and Windows' separators are no exception.
    name = PurePosixPath(entry.orig_filename.replace("\\", "/"))
    drive = ":" in name.parts[0] if name.parts else False
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if name.is_absolute() or drive or ".." in name.parts:
        raise CheckpointError(f"{path} has a file outside its own folder, {str(name)[:80]}: it is not unpacked")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise CheckpointError(f"{path} has a link or a device in it, {str(name)[:80]}: it is not unpacked")
    if entry.flag_bits & _ENCRYPTED:
        raise CheckpointError(f"{path} is encrypted; unpack it yourself and give the folder")


def _damaged(path: Path) -> CheckpointError:
    return CheckpointError(f"{path} is damaged or no ZIP archive; fetch it again")
