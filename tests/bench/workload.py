"""Mixed work for a long run: kinds of requests, each of which knows how it has to end."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.texts import CLOSED_LOOP, instructions, prose
from client import InvalidRequest, Speech, Synthesizer, VoiceNotFound
from client.batch import Batch, Journal, Reader

# Quieter than this, of 32767, is not speech.
FAINT = 500


class Wrong(Exception):
    """An answer that is none: without sound, without what was asked for, or where an error was due."""


@dataclass(frozen=True)
class Worker:
    """What one thread works with. `folder` is its own, and empty when a request begins."""

    synthesizer: Synthesizer
    choose: random.Random
    folder: Path
    presets: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """What a request that ended as it must has given: how it ended, seconds of audio, and kinds of notices."""

    outcome: str
    audio: float = 0.0
    notices: tuple[str, ...] = ()


Kind = Callable[[Worker], Done]


def short(worker: Worker) -> Done:
    """A sentence."""
    return _spoken(worker.synthesizer.synthesize(worker.choose.choice(CLOSED_LOOP)))


def long(worker: Worker) -> Done:
    """A few hundred characters, with or without an explicit speed."""
    text = prose(worker.choose.randint(200, 600), worker.choose.randrange(1000))
    speed = worker.choose.choice((None, 0.8, 1.3))
    return _spoken(worker.synthesizer.synthesize(text, speed=speed))


def styled(worker: Worker) -> Done:
    """A preset, or an instruction that never came before."""
    wish = next(instructions(worker.choose.randrange(1 << 30)))
    style = worker.choose.choice([*worker.presets, wish]) if worker.presets else wish
    return _spoken(worker.synthesizer.synthesize(worker.choose.choice(CLOSED_LOOP), style=style))


def marked(worker: Worker) -> Done:
    """SSML; its marks have to come back, in order."""
    first, second = worker.choose.sample(CLOSED_LOOP, 2)
    text = (
        f'<speak><s>{first}</s><break time="400ms"/><mark name="a"/><prosody rate="fast" pitch="+2st">{second}'
        '</prosody><mark name="b"/><say-as interpret-as="date">2024-03-05</say-as>，再见。</speak>'
    )
    speech = worker.synthesizer.synthesize(text)
    names = [mark.name for mark in speech.marks]
    if names != ["a", "b"]:
        raise Wrong(f"the marks a and b came back as {', '.join(names) or 'none'}")
    return _spoken(speech)


def wrong(worker: Worker) -> Done:
    """Something that has to be refused, with the right kind of error."""
    options: list[tuple[str, dict[str, Any], type[InvalidRequest]]] = [
        ("你好。", {"voice": "nobody"}, VoiceNotFound),
        ("<speak>你好<break time='soon'/></speak>", {}, InvalidRequest),
        ("<speak>你好", {}, InvalidRequest),
        ("……", {}, InvalidRequest),
        ("你好。", {"speaker": "nobody"}, InvalidRequest),
    ]
    text, asked, error = worker.choose.choice(options)
    try:
        speech = worker.synthesizer.synthesize(text, **asked)
    except error:
        return Done("refused")
    raise Wrong(f"{text!r} with {asked} was spoken, {speech.duration:.1f} s, where it had to be refused")


def cancelled(worker: Worker) -> Done:
    """A long text that nobody hears to the end."""
    pieces = worker.choose.randint(0, 3)
    stream = worker.synthesizer.stream(prose(1000, worker.choose.randrange(1000)))
    heard = 0.0
    for _ in range(pieces):
        chunk = next(stream)
        heard += chunk.samples.size / chunk.sample_rate
    stream.close()
    return Done("cancelled", heard)


def batch(worker: Worker) -> Done:
    """A file of four lines, spoken by two threads into audio files."""
    source = worker.folder / "texts.txt"
    source.write_text("\n".join(worker.choose.sample(CLOSED_LOOP, 4)) + "\n", encoding="utf-8")
    failures: list[str] = []
    with Journal(worker.folder / "audio") as journal:
        work = Batch(
            worker.synthesizer,
            journal,
            concurrency=2,
            on_failure=lambda number, name, error: failures.append(f"{type(error).__name__}: {error}"),
        )
        tally = work.run(line for line in Reader(source, {}, ".wav").lines())
    files = list((worker.folder / "audio").glob("*.wav"))
    if failures or tally.done != 4 or len(files) != 4:
        raise Wrong(f"{tally.done} of 4 items and {len(files)} files came of a batch: {'; '.join(failures)}")
    return Done("ok", tally.audio_seconds)


# How many of a hundred requests are of a kind.
MIX: dict[str, tuple[int, Kind]] = {
    "short": (40, short),
    "long": (10, long),
    "style": (14, styled),
    "ssml": (12, marked),
    "wrong": (10, wrong),
    "cancelled": (8, cancelled),
    "batch": (6, batch),
}


def _spoken(speech: Speech) -> Done:
    if not speech.samples.size or max(abs(int(speech.samples.max())), abs(int(speech.samples.min()))) < FAINT:
        raise Wrong(f"{speech.duration:.1f} s of silence came back")
    return Done("ok", speech.duration, tuple(notice.kind for notice in speech.notices))
