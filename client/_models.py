"""What the server tells, as immutable values. All times are seconds from the start of the request's audio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Phone:
    """One phone and when it is spoken."""

    phone: str
    start: float
    end: float


@dataclass(frozen=True)
class Word:
    """One word, when it is spoken, and its phones."""

    text: str
    start: float
    end: float
    phones: tuple[Phone, ...] = ()


@dataclass(frozen=True)
class Clause:
    """A piece of the text that was synthesised at once, with its words in order."""

    text: str
    start: float
    end: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True)
class Mark:
    """A mark that was set in the text, and when the audio reaches it."""

    name: str
    time: float


@dataclass(frozen=True)
class Notice:
    """Something that was done differently from what was asked.

    ``kind`` is ``clamped``, ``skipped``, ``spelled``, ``lexicon``, ``quality``, ``degraded``, ``style``, ``length``,
    ``dictionary`` or ``markup``; ``text`` is what it is about and ``message`` a sentence for people.
    """

    kind: str
    text: str
    message: str


@dataclass(frozen=True)
class Progress:
    """Characters of the text that are spoken, of all characters."""

    done: int
    total: int


@dataclass(frozen=True)
class Voice:
    """A voice and what it can do.

    ``state`` is ``ready``, ``unloaded``, ``loading`` or ``broken``, and ``reason`` says why it is broken.
    ``limits`` maps ``speed`` (factor), ``pitch`` (semitones) and ``energy`` (dB) to the lowest and highest
    value that the voice can do; a request beyond them is clamped and reported. ``qualities`` are best first.
    ``attributes`` maps each name that a request's ``attributes`` may have to its values; only a voice that is designed
    has some.
    The server tells nothing of a voice that is not ready but its name and state: its other fields are empty.
    """

    name: str
    state: str
    reason: str = ""
    family: str = ""
    sample_rate: int = 0
    languages: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    qualities: tuple[str, ...] = ()
    limits: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can speak now."""
        return self.state == "ready"


@dataclass(frozen=True)
class Preset:
    """A style with a name, and the instruction that it stands for."""

    name: str
    instruction: str


@dataclass(frozen=True)
class VoiceHealth:
    """How one voice did at ``server``: seconds to the first and to the last sample, and seconds of audio."""

    voice: str
    healthy: bool
    message: str
    first_audio: float | None = None
    elapsed: float | None = None
    audio: float | None = None
    server: str = ""


@dataclass(frozen=True)
class ModelState:
    """One line of the server's repository index.

    ``state`` is Triton's word: ``READY``, ``LOADING``, ``UNLOADING``, ``UNAVAILABLE``, or empty for a model that
    was never loaded. ``reason`` says why it is unavailable, ``unloaded`` where somebody asked for that. ``version`` is
    empty for a model that was never loaded.
    """

    name: str
    state: str
    reason: str = ""
    version: str = ""

    @property
    def ready(self) -> bool:
        """Whether it can be called."""
        return self.state == "READY"


@dataclass(frozen=True)
class MemoryUse:
    """The used share, 0 to 1, of the host's memory and of the fullest GPU's; ``None`` without one."""

    host: float
    gpu: float | None = None


@dataclass(frozen=True)
class QueueState:
    """Requests that run and that wait, and for how many seconds the first of those that wait has."""

    in_flight: int
    waiting: int
    oldest_wait: float


@dataclass(frozen=True)
class Degradation:
    """How much the service gives up: the step, from 0, and its name."""

    step: int
    name: str


@dataclass(frozen=True)
class Health:
    """Whether the service works. ``healthy`` only if every ready voice spoke, and there is at least one.

    ``memory``, ``queue`` and ``degradation`` are from the metrics page, and ``None`` where it was not read. Of several
    servers, ``servers`` holds the health of each, and its models, memory, queue and degradation are there alone.
    """

    healthy: bool
    message: str
    server: str = ""
    version: str = ""
    voices: tuple[VoiceHealth, ...] = ()
    models: tuple[ModelState, ...] = ()
    memory: MemoryUse | None = None
    queue: QueueState | None = None
    degradation: Degradation | None = None
    servers: tuple[Health, ...] = ()


@dataclass(frozen=True, eq=False)
class Chunk:
    """One response of a synthesis: the next piece of its audio.

    ``samples`` is int16 of shape ``[n]``, ``n`` may be 0; ``sample_rate`` is in Hz, 0 without audio. ``clauses``
    holds those whose first samples are in this piece: a long clause is told once and goes on in later ones.
    ``resume`` is set in the last piece of a part of a long answer; the clients ask for the next part by themselves.
    """

    samples: NDArray[np.int16]
    sample_rate: int
    clauses: tuple[Clause, ...] = ()
    notices: tuple[Notice, ...] = ()
    voice: str = ""
    quality: str = ""
    progress: Progress | None = None
    marks: tuple[Mark, ...] = ()
    resume: str = ""
