"""The stub processes of a server: Triton runs each instance of a Python model in one, and does not notice its death."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from server.guard import SHARED_MEMORY

STUB = "triton_python_backend_stub"
# A region is there a moment before the process that it is for.
ABANDONED_SECONDS = 10.0


@dataclass(frozen=True)
class Stub:
    """One process: the model it serves, the instance of it (``demo_encoder_0_0``) and its shared memory's name."""

    pid: int
    model: str
    instance: str
    region: str


def living(server: int) -> dict[str, Stub]:
    """The stubs of the server with this process id, by instance; the dead that nobody has reaped yet do not count."""
    found = {}
    try:
        children = psutil.Process(server).children()
    except psutil.Error:
        return {}
    for child in children:
        stub = _stub(child.pid)
        if stub is not None:
            found[stub.instance] = stub
    return found


def lives(stub: Stub) -> bool:
    """Whether the process is still there. Far cheaper than ``living``, which looks at every process of the machine."""
    return _stub(stub.pid) == stub


def parse(pid: int, words: Sequence[str]) -> Stub | None:
    """A stub by its command line: program, ``…/<model>/<version>/<file>``, region, later the instance's name."""
    if len(words) < 3 or Path(words[0]).name != STUB:
        return None
    model = Path(words[1]).parent.parent.name
    return Stub(pid, model, next((word for word in words[3:] if word.startswith(f"{model}_")), model), words[2])


def forget_memory(alive: Iterable[Stub], prefix: str) -> None:
    """Deletes the names of shared memory that begin with ``prefix`` and belong to none of the living.

    Triton leaves a dead stub's memory behind when it reloads the model.
    """
    claimed = {stub.region for stub in alive}
    for region in SHARED_MEMORY.glob(f"{prefix}*"):
        with contextlib.suppress(FileNotFoundError):  # its model was unloaded meanwhile
            if region.name not in claimed and time.time() - region.stat().st_mtime > ABANDONED_SECONDS:
                region.unlink()


def model_of(message: str, models: Iterable[str]) -> str | None:
    """The model that an error speaks of: ``Stub process 'demo_melgan_0_0' is not healthy`` or ``demo_melgan: …``.

    A longer name wins, so that ``demo`` is not taken for ``demo_melgan``.
    """
    for model in sorted(models, key=len, reverse=True):
        if f"'{model}_" in message or f"'{model}'" in message or f"{model}:" in message:
            return model
    return None


def _stub(pid: int) -> Stub | None:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a process that is dead and not yet reaped
    except OSError:
        return None
    return parse(pid, line.decode(errors="replace").split("\0"))
