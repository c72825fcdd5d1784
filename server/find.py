"""Finds a tritonserver: one that was named, the container's, or the one in the nvidia-pytriton wheel."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from server.errors import ServerNotFound

VARIABLE = "TRITONSERVER"
WHEEL = "nvidia-pytriton"
WHEEL_VERSION = "0.7.0"
CONTAINER = Path("/opt/tritonserver/bin/tritonserver")


@dataclass(frozen=True)
class Installation:
    """A tritonserver and what lies around it.

    ``libraries`` is the wheel's folder of shared libraries; None means a complete installation that
    brings its own backends, caches and libraries.
    """

    binary: Path
    libraries: Path | None = None

    @property
    def root(self) -> Path:
        return self.binary.parent.parent

    @property
    def from_wheel(self) -> bool:
        return self.libraries is not None


def find(named: Path | None = None, environment: Mapping[str, str] | None = None) -> Installation:
    """The tritonserver to use: ``named``, $TRITONSERVER, PATH, /opt/tritonserver, then the wheel's."""
    variables = os.environ if environment is None else environment
    asked = named or (Path(variables[VARIABLE]) if variables.get(VARIABLE) else None)
    if asked is not None:
        binary = asked / "bin" / "tritonserver" if asked.is_dir() else asked
        if not _runnable(binary):
            raise ServerNotFound(f"{asked} is not a tritonserver: name the binary or its installation directory")
        return _describe(binary)
    on_path = shutil.which("tritonserver", path=variables.get("PATH", os.defpath))
    if on_path:
        return _describe(Path(on_path))
    if _runnable(CONTAINER):
        return _describe(CONTAINER)
    return in_wheel()


def in_wheel() -> Installation:
    """The tritonserver of the wheel in the running environment."""
    try:
        wheel = metadata.distribution(WHEEL)
    except metadata.PackageNotFoundError:
        raise ServerNotFound(
            f"no tritonserver was found: run scripts/setup (pip install --no-deps {WHEEL}=={WHEEL_VERSION}), "
            f"or set {VARIABLE} to an installed one"
        ) from None
    binary = Path(str(wheel.locate_file("pytriton/tritonserver/bin/tritonserver")))
    if not binary.is_file():
        raise ServerNotFound(f"the installed {WHEEL} holds no tritonserver: reinstall {WHEEL}=={WHEEL_VERSION}")
    return _describe(binary)


def _runnable(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)


def _describe(binary: Path) -> Installation:
    resolved = binary.resolve()
    root = resolved.parent.parent
    if (root / "python_backend_stubs").is_dir():
        return Installation(resolved, root.parent.parent / "nvidia_pytriton.libs")
    return Installation(resolved)
