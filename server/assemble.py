"""Puts together what the wheel's server needs: a backend directory and an environment."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from server.errors import UnfitEnvironment
from server.find import Installation

STAND_INS = Path(__file__).resolve().parent.parent / "backends"
GLIBC = (2, 35)
STUB = "triton_python_backend_stub"


@dataclass(frozen=True)
class Assembly:
    """Directories for the command line, and variables for the process."""

    backends: Path
    caches: Path
    libraries: tuple[Path, ...]
    python: Path  # the folder whose python3 the stubs take


def assemble(installation: Installation, target: Path, stand_ins: Path = STAND_INS) -> Assembly:
    """Fills ``target`` (which must not exist) with the backends; it appears complete or not at all."""
    if installation.libraries is None:
        raise ValueError("a complete installation needs no assembly")
    check_environment()
    stub = _stub(installation)
    libraries = [installation.libraries, *_libpython(stub, installation.libraries)]
    python = _python_folder()
    building = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        copied = shutil.copytree(installation.root / "backends" / "python", building / "python", ignore=_litter)
        shutil.copy2(stub, copied / STUB)
        (copied / STUB).chmod(0o755)
        for backend in sorted(stand_ins.iterdir()):
            if (backend / "model.py").is_file():
                shutil.copytree(backend, building / backend.name, ignore=_litter)
        building.rename(target)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    return Assembly(target, installation.root / "caches", tuple(libraries), python)


def check_environment() -> None:
    """Refuses what would make the wheel's server fail late or silently."""
    kind, version = platform.libc_ver()
    found = tuple(int(part) for part in version.split(".")[:2]) if re.fullmatch(r"\d+(\.\d+)+", version) else ()
    if kind == "glibc" and found and found < GLIBC:
        raise UnfitEnvironment(
            f"the wheel's tritonserver needs glibc {GLIBC[0]}.{GLIBC[1]} and this system has {version}: "
            "use the container or a newer distribution"
        )
    try:
        numpy = metadata.version("numpy")
    except metadata.PackageNotFoundError:
        raise UnfitEnvironment(f'numpy is missing from {sys.prefix}: pip install "numpy<2" there') from None
    if int(numpy.split(".")[0]) >= 2:
        raise UnfitEnvironment(
            f"numpy {numpy} is in {sys.prefix}, with which this tritonserver answers with empty outputs: "
            'pip install "numpy<2" there'
        )


def _stub(installation: Installation) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    stubs = installation.root / "python_backend_stubs"
    stub = stubs / version / STUB
    if not stub.is_file():
        known = sorted((path.name for path in stubs.iterdir()), key=lambda name: [int(n) for n in name.split(".")])
        raise UnfitEnvironment(f"this tritonserver has no stub for Python {version}: use one of {', '.join(known)}")
    return stub


def _libpython(stub: Path, bundled: Path) -> list[Path]:
    """The folder of the libpython that the stub is linked to, unless the wheel brings it."""
    match = re.search(rb"libpython3[\w.-]*\.so[\w.]*", stub.read_bytes())
    if match is None:
        return []
    name = match.group().decode()
    if (bundled / name).exists():
        return []
    folders = list(_library_folders())
    for folder in folders:
        if (folder / name).exists():
            return [folder]
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise UnfitEnvironment(
        f"{name} was not found for {sys.executable}: install it (apt install libpython{version}; "
        "pyenv: rebuild with PYTHON_CONFIGURE_OPTS=--enable-shared)"
    )


def _library_folders() -> Iterable[Path]:
    triplet = sysconfig.get_config_var("MULTIARCH")
    for folder in (
        sysconfig.get_config_var("LIBDIR"),
        f"{sys.base_prefix}/lib",
        sysconfig.get_config_var("LIBPL"),
        *((f"{base}/{triplet}" for base in ("/usr/lib", "/lib")) if triplet else ()),
        "/usr/lib64",
        "/usr/local/lib",
    ):
        if folder:
            yield Path(folder)


def _python_folder() -> Path:
    folder = Path(sys.executable).parent
    if not (folder / "python3").exists():
        raise UnfitEnvironment(f"there is no python3 beside {sys.executable}, which the server's Python models need")
    return folder


def _litter(folder: str, names: list[str]) -> set[str]:
    return {name for name in names if name in ("__pycache__", STUB) or name.endswith(".pyc")}
