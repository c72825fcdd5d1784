"""When what is heard: the silences between clauses, the times of words and marks, what the request is to be told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from request import Place
from stages import Pcm

Notices = list[dict[str, str]]


@dataclass(frozen=True)
class Piece:
    """One response: PCM int16 [samples], its sample rate in Hz, events as JSON text."""

    audio: Pcm
    sample_rate: int
    events: str


class Timeline:
    """The audio of one request from its first sample on, at one sample rate; `total` is its text's length.

    A clause is announced by `begin`, its audio goes through `add`, `end` closes it.
    """

    def __init__(self, sample_rate: int, total: int, start: Place) -> None:
        self._rate = sample_rate
        self._total = total
        self._start = start
        self._sent = start.sent
        self._done = start.done
        self._pause = start.pause
        self._break: float | None = None
        self._offset = 0.0
        self._marks: list[dict[str, Any]] = []
        self._notices: Notices = []
        self._told: set[tuple[str, str]] = set()
        self._resampler: soxr.ResampleStream | None = None
        self._opening: dict[str, Any] = {}
        self._about: dict[str, Any] = {}

    def rest(self, seconds: float, marks: list[str], characters: int) -> None:
        """An explicit break, in place of the pause that the clause before it asks for."""
        before = self._break or 0.0
        now = round(self._sent / self._rate + before, 4)
        self._marks += [{"name": name, "time": now} for name in marks]
        self._break = before + seconds
        self._done += characters

    def skip(self, notices: Notices, characters: int) -> None:
        """A part of the text that is not spoken."""
        self._notices += notices
        self._done += characters

    def begin(self, timing: dict[str, Any], notices: Notices, quality: str) -> None:
        """A clause whose times are relative to itself; they are told with its first samples.

        One whose end is not known yet has no `frames`: it is told when `complete` is called.
        """
        lead = round((self._pause if self._break is None else self._break) * self._rate)
        self._offset = (self._sent + lead) / self._rate
        self._mark(timing)
        self._notices += notices
        self._opening = {"lead": lead, "clauses": [self._clause(timing)] if "frames" in timing else []}
        self._about = {"voice": timing["voice"], "quality": quality}
        if timing["sample_rate"] != self._rate:
            self._resampler = soxr.ResampleStream(timing["sample_rate"], self._rate, 1, dtype="int16")

    def complete(self, timing: dict[str, Any], notices: Notices) -> None:
        """What of a clause was not known when it began; to be called before its last samples are added."""
        self._mark(timing)
        self._notices += notices
        self._opening["clauses"] = [self._clause(timing)]

    def add(self, pcm: Pcm, done: int, *, last: bool) -> Piece:
        """The next samples of the clause at its voice's rate; `done` characters of it are spoken with them."""
        if self._resampler is not None:
            pcm = self._resampler.resample_chunk(pcm, last=last)
            self._resampler = None if last else self._resampler
        lead = int(self._opening.pop("lead", 0))
        if lead:
            pcm = np.concatenate([np.zeros(lead, dtype=np.int16), pcm])
        clauses = self._opening.pop("clauses", [])
        self._sent += pcm.size
        return self._piece(pcm, clauses, self._done + done)

    def end(self, characters: int, pause: float) -> None:
        """The clause is spoken; `pause` seconds belong between it and the next."""
        self._done += characters
        self._pause, self._break = pause, None

    @property
    def seconds(self) -> float:
        """How much audio was sent in this part of the answer."""
        return (self._sent - self._start.sent) / self._rate

    def leave(self, block: int) -> Piece:
        """The last response of a part of the answer; the next part begins with `block`."""
        return self._piece(
            np.zeros(0, dtype=np.int16), [], self._done, Place(block, self._sent, self._done, self._pause)
        )

    def rest_of_it(self) -> Iterator[Piece]:
        """What is left when the text is at its end: a break, marks, or only something to tell."""
        samples = round((self._break or 0.0) * self._rate)
        if samples or self._marks or self._notices:
            self._sent += samples
            yield self._piece(np.zeros(samples, dtype=np.int16), [], self._total)

    def _clause(self, timing: dict[str, Any]) -> dict[str, Any]:
        seconds = timing["frames"] * timing["hop_length"] / timing["sample_rate"]
        start, end = (round(time, 4) for time in (self._offset, self._offset + seconds))
        words = [
            _moved(word, self._offset) | {"phones": [_moved(p, self._offset) for p in word["phones"]]}
            for word in timing["words"]
        ]
        return {"text": timing["text"], "start": start, "end": end, "words": words}

    def _mark(self, timing: dict[str, Any]) -> None:
        for mark in timing.get("marks", ()):
            self._marks.append({"name": mark["name"], "time": round(mark["time"] + self._offset, 4)})

    def _piece(self, pcm: Pcm, clauses: list[dict[str, Any]], done: int, resume: Place | None = None) -> Piece:
        events = {
            "clauses": clauses,
            "marks": self._marks,
            "notices": self._news(),
            **self._about,
            "progress": {"done": done, "total": self._total},
        }
        if resume is not None:
            events["resume"] = resume.dump()
        self._marks, self._notices = [], []
        return Piece(pcm, self._rate, json.dumps(events, ensure_ascii=False))

    def _news(self) -> Notices:
        """Those that the request has not been told yet: every block of a text meets the same clamped control."""
        news = []
        for notice in self._notices:
            key = (notice["kind"], notice["text"])
            if key not in self._told:
                news.append(notice)
                self._told.add(key)
        return news


def _moved(item: dict[str, Any], offset: float) -> dict[str, Any]:
    return item | {"start": round(item["start"] + offset, 4), "end": round(item["end"] + offset, 4)}
