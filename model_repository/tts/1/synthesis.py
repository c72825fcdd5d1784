"""One request's way through the stages, clause by clause.

The stages are reached through `Call`, a function (model, inputs) → outputs, so that this module needs no Triton.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from blocks import split_blocks

Arrays = dict[str, npt.NDArray[Any]]
Call = Callable[[str, Arrays, tuple[str, ...]], Arrays]

# Best first; a quality that a voice lacks is answered by the next one down, or else by the best it has.
QUALITIES = ("high", "balanced", "fast")
_ALIASES = {"高保真": "high", "平衡": "balanced", "快速": "fast"}
DEFAULT_QUALITY = "balanced"
MAX_TEXT = 60_000


class RequestError(ValueError):
    """The request itself is wrong; the message says what to do."""


class TextRefusedError(RequestError):
    """A text has nothing that can be said; another part of the request may have."""


class RefusedError(Exception):
    """The front end refused the request; `code` is the name of a Triton error code."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Piece:
    """One clause's answer: PCM int16 [samples], its sample rate in Hz, events as JSON text."""

    audio: npt.NDArray[np.int16]
    sample_rate: int
    events: str


def check_text(raw: bytes) -> str:
    """Decode and bound a text. Raises `RequestError`."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"TEXT is not valid UTF-8 (byte {error.start}): send it as UTF-8") from error
    if len(text) > MAX_TEXT:
        raise RequestError(f"text has {len(text)} characters, the most is {MAX_TEXT}: send it in parts")
    return text


def check_quality(asked: str | None) -> str:
    """The quality's canonical name. Raises `RequestError`."""
    quality = _ALIASES.get(asked or DEFAULT_QUALITY, asked or DEFAULT_QUALITY)
    if quality not in QUALITIES:
        raise RequestError(f"quality '{quality[:40]}' is not known; it must be one of {', '.join(QUALITIES)}")
    return quality


def choose_vocoder(quality: str, vocoders: Mapping[str, str]) -> tuple[str, str]:
    """The quality that will answer and its vocoder's role: the one asked for, else the next one down, else up."""
    at = QUALITIES.index(quality)
    for candidate in (*QUALITIES[at:], *reversed(QUALITIES[:at])):
        if candidate in vocoders:
            return candidate, vocoders[candidate]
    raise RequestError("this voice has no vocoder: export it again")


class Synthesis:
    """Speaks one request; iterate over `pieces`."""

    def __init__(self, call: Call, text: str, quality: str, options: Arrays) -> None:
        self._call = call
        self._text = text
        self._quality = quality
        self._options = options
        self._told: set[tuple[str, str]] = set()

    def pieces(self) -> Iterator[Piece]:
        """Each clause as soon as it is spoken, preceded by the pause that the clause before it asks for.

        Raises `RequestError`, `RefusedError` and whatever `Call` raises.
        """
        pause, offset, done, rate = 0.0, 0.0, 0, 0
        refused: list[tuple[str, TextRefusedError]] = []
        for block in split_blocks(self._text):
            try:
                front = self._front(block)
            except TextRefusedError as error:
                # One paragraph without a sayable character must not end a book: it is reported with what follows.
                refused.append((block, error))
                done += len(block)
                continue
            count = len(front["clauses"])
            for i in range(count):
                clause = json.loads(front["clauses"][i, 0])
                quality, vocoder = choose_vocoder(self._quality, clause["vocoders"])
                audio, rate, events = self._speak(front, i, clause, vocoder)
                silence = np.zeros(round(pause * rate), dtype=np.int16)
                shift_events(events, offset + silence.size / rate)
                notices = [*events["notices"], *_skipped(refused), *_replaced(self._quality, quality)]
                progress = {"done": done + len(block) * (i + 1) // count, "total": len(self._text)}
                events |= {"notices": self._news(notices), "quality": quality, "progress": progress}
                whole = np.concatenate([silence, audio])
                offset += whole.size / rate
                pause, refused = clause["pause"], []
                yield Piece(whole, rate, json.dumps(events, ensure_ascii=False))
            done += len(block)
        if not rate:
            raise refused[0][1] if refused else RequestError("text is empty: give some text to speak")
        if refused:
            # Nothing is left to speak, but what was left out is still to be told.
            rest = {"clauses": [], "notices": _skipped(refused), "progress": {"done": done, "total": len(self._text)}}
            yield Piece(np.zeros(0, dtype=np.int16), rate, json.dumps(rest, ensure_ascii=False))

    def _news(self, notices: list[dict[str, str]]) -> list[dict[str, str]]:
        """Those that the request has not been told yet: every block of a text meets the same clamped control."""
        news = [notice for notice in notices if (notice["kind"], notice["text"]) not in self._told]
        self._told |= {(notice["kind"], notice["text"]) for notice in notices}
        return news

    def _front(self, block: str) -> Arrays:
        names = ("problem", "units", "unit_lengths", "speed", "pitch", "contour", "energy", "clauses")
        inputs = {"TEXT": np.array([block.encode("utf-8")], dtype=np.object_)} | self._options
        front = self._call("text_frontend", inputs, names)
        if front["problem"][0]:
            problem = json.loads(front["problem"][0])
            if problem["text"]:
                raise TextRefusedError(problem["message"])
            raise RefusedError(problem["message"], problem["code"])
        return front

    def _speak(
        self, front: Arrays, i: int, clause: dict[str, Any], vocoder: str
    ) -> tuple[npt.NDArray[np.int16], int, dict[str, Any]]:
        """PCM, sample rate and events of clause `i` of a block, times from its own start."""
        row = slice(i, i + 1)
        voice, bucket = clause["voice"], clause["unit_bucket"]
        # Each clause is padded to its own bucket, not to the longest of its block: it meets more company in a batch.
        length = -(-int(front["unit_lengths"][i, 0]) // bucket) * bucket
        encoded = self._call(
            f"{voice}_encoder",
            {
                "units": front["units"][row, :length],
                "unit_lengths": front["unit_lengths"][row],
                "pitch": front["pitch"][row],
                "contour": front["contour"][row],
            },
            ("hidden", "durations"),
        )
        aligned = self._call(
            "aligner",
            {
                "durations": encoded["durations"],
                "unit_lengths": front["unit_lengths"][row],
                "speed": front["speed"][row],
                "clauses": front["clauses"][row],
            },
            ("alignment", "frame_lengths", "timings"),
        )
        frames = {"alignment": aligned["alignment"], "frame_lengths": aligned["frame_lengths"]}
        mel = self._call(f"{voice}_decoder", {"hidden": encoded["hidden"]} | frames, ("mel",))
        audio = self._call(f"{voice}_{vocoder}", {"mel": mel["mel"]}, ("audio",))
        answer = self._call(
            "postprocess",
            {"audio": audio["audio"], "timings": aligned["timings"], "energy": front["energy"][row]},
            ("AUDIO", "SAMPLE_RATE", "EVENTS"),
        )
        return answer["AUDIO"], int(answer["SAMPLE_RATE"][0]), json.loads(answer["EVENTS"][0])


def shift_events(events: dict[str, Any], offset: float) -> None:
    """Move every time in events by `offset` seconds."""
    for clause in events["clauses"]:
        words = clause["words"]
        for item in (clause, *words, *(phone for word in words for phone in word["phones"])):
            item["start"] = round(item["start"] + offset, 4)
            item["end"] = round(item["end"] + offset, 4)


def _skipped(refused: list[tuple[str, TextRefusedError]]) -> list[dict[str, str]]:
    return [{"kind": "skipped", "text": block[:40], "message": str(error)} for block, error in refused]


def _replaced(asked: str, answered: str) -> list[dict[str, str]]:
    if asked == answered:
        return []
    message = f"this voice has no quality '{asked}': '{answered}' answered"
    return [{"kind": "quality", "text": asked, "message": message}]
