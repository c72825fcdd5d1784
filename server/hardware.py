"""Which hardware profile fits this machine: the one of its GPU by name, else by its memory, else its processor's."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pynvml

GIB = 1 << 30
PLAIN = "cpu"
AMX = "amx"
# Of a card's nominal memory, the driver keeps some for itself and NVML tells the rest.
ROUGHLY = 0.88


@dataclass(frozen=True)
class Gpu:
    """A card as NVML describes it; ``memory`` in bytes, ``driver`` is the version of the machine's driver."""

    name: str
    memory: int
    uuid: str = ""
    compute_capability: str = ""
    driver: str = ""


@dataclass(frozen=True)
class Choice:
    """A profile, and why it is the one in half a sentence."""

    profile: str
    reason: str


@dataclass(frozen=True)
class _Profile:
    name: str
    memory: int  # GiB that its numbers were chosen for
    card: re.Pattern[str]


# The larger first; of two with equal memory, the first is the one for an unknown card.
_PROFILES = (
    _Profile("h100", 80, re.compile(r"\bH100\b")),
    _Profile("rtx3090", 24, re.compile(r"\bRTX 3090\b")),
    _Profile("l4", 24, re.compile(r"\bL4\b")),
    _Profile("a4000", 16, re.compile(r"\bRTX A4000\b")),
    _Profile("rtx3060", 12, re.compile(r"\bRTX 3060\b(?! Ti)")),
    _Profile("laptop3060", 6, re.compile(r"\bRTX 3060\b.*\bLaptop\b")),
)
# What the processor must have for products in bfloat16, by Linux' names.
AMX_PRODUCTS = {"amx_tile", "amx_bf16"}
_LAPTOP = re.compile(r"\b(Laptop|Mobile|Max-Q)\b", re.IGNORECASE)


def choose(gpus: Sequence[Gpu], available: Collection[str], flags: Collection[str] = ()) -> Choice:
    """The profile for a machine with these cards and a processor with these flags, of those that the repository has.

    Every stage runs on every card, so the smallest card decides. A laptop's chip has the name of a desktop's card and
    neither its power nor its memory: it gets a laptop's profile.
    """
    if not gpus:
        if set(flags) >= AMX_PRODUCTS and AMX in available:
            return Choice(AMX, "no NVIDIA GPU was found, and the processor has AMX")
        return Choice(PLAIN, "no NVIDIA GPU was found")
    gpu = min(gpus, key=lambda card: card.memory)
    seen = f"{gpu.name}, {gpu.memory / GIB:.0f} GiB"
    fitting = [
        profile
        for profile in _PROFILES
        if profile.name in available and gpu.memory >= ROUGHLY * profile.memory * GIB and _allows(profile, gpu)
    ]
    named = next((profile for profile in fitting if profile.card.search(gpu.name)), None)
    if named:
        return Choice(named.name, seen)
    if fitting:
        return Choice(fitting[0].name, f"{seen}: the nearest smaller one")
    return Choice(PLAIN, f"{seen}: there is no profile that small")


def detect(environment: Mapping[str, str] | None = None) -> list[Gpu]:
    """The cards that a server on this machine would use; none where there is no NVIDIA driver."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        return visible(_cards(), os.environ if environment is None else environment)
    except pynvml.NVMLError:
        return []  # a driver that cannot list its cards runs nothing on them either
    finally:
        pynvml.nvmlShutdown()


def flags(cpuinfo: Path = Path("/proc/cpuinfo")) -> set[str]:
    """What the processor can do, by Linux' names; empty where nobody tells."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return set()
    return set(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), ()))


def visible(gpus: Sequence[Gpu], environment: Mapping[str, str]) -> list[Gpu]:
    """Those that CUDA_VISIBLE_DEVICES leaves, by index or by (the beginning of a) UUID, up to the first wrong one."""
    listed = environment.get("CUDA_VISIBLE_DEVICES")
    if listed is None:
        return list(gpus)
    found = []
    for word in listed.split(","):
        word = word.strip()
        match = [gpus[int(word)]] if word.isdigit() and int(word) < len(gpus) else []
        match = match or [gpu for gpu in gpus if word.startswith("GPU-") and gpu.uuid.startswith(word)]
        if not match:
            break
        found.append(match[0])
    return found


def _allows(profile: _Profile, gpu: Gpu) -> bool:
    return profile.name.startswith("laptop") or not _LAPTOP.search(gpu.name)


def _cards() -> list[Gpu]:
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
    driver = pynvml.nvmlSystemGetDriverVersion()
    return [
        Gpu(
            pynvml.nvmlDeviceGetName(handle),
            _memory(handle),
            pynvml.nvmlDeviceGetUUID(handle),
            "{}.{}".format(*pynvml.nvmlDeviceGetCudaComputeCapability(handle)),
            driver,
        )
        for handle in handles
    ]


def _memory(handle: object) -> int:
    """Bytes of a card; of a card that is divided (MIG), those of its first part, which is all that CUDA takes of it."""
    try:
        if pynvml.nvmlDeviceGetMigMode(handle)[0]:
            handle = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 0)
    except pynvml.NVMLError:
        pass  # cards before the A100 know no parts
    return int(pynvml.nvmlDeviceGetMemoryInfo(handle).total)
