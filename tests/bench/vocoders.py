"""The fast vocoder against the balanced one."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bench.figures import ms, number, table
from bench.setting import Section, Setting, Skipped, speaker
from bench.texts import prose
from client import Synthesizer

QUALITIES = ("balanced", "fast")
CLIENTS = (1, 8)
TEXTS = tuple(prose(60, seed) for seed in range(8))


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Turns of each quality, after each other, at each number of clients."""
    with setting.server() as server, speaker(server) as synthesizer:
        voice = next(voice for voice in synthesizer.voices() if voice.ready)
        missing = [quality for quality in QUALITIES if quality not in voice.qualities]
        if missing:
            raise Skipped(f"the voice {voice.name} has no quality {', '.join(missing)}")
        rows = []
        for clients in CLIENTS:
            setting.tell(f"{clients} clients")
            rows += _at(synthesizer, clients, setting.pick(12, 2))
        return rows


def _at(synthesizer: Synthesizer, clients: int, turns: int) -> list[dict[str, Any]]:
    rates = defaultdict(list)
    first = defaultdict(list)
    with ThreadPoolExecutor(clients) as pool:

        def turn(quality: str, number: int) -> tuple[float, list[float]]:
            asked = [TEXTS[(number * clients + index) % len(TEXTS)] for index in range(2 * clients)]
            begin = time.perf_counter()
            answers = list(pool.map(lambda text: synthesizer.synthesize(text, quality=quality), asked))
            elapsed = time.perf_counter() - begin
            if wrong := {answer.quality for answer in answers} - {quality}:
                raise RuntimeError(f"asked for {quality}, {', '.join(sorted(wrong))} answered: is memory short?")
            return sum(answer.duration for answer in answers) / elapsed, [answer.first_audio for answer in answers]

        for quality in QUALITIES:
            turn(quality, 0)
        for number_of_turn in range(turns):
            for quality in QUALITIES if number_of_turn % 2 else QUALITIES[::-1]:
                rate, waits = turn(quality, number_of_turn)
                rates[quality].append(rate)
                first[quality] += waits
    return [
        {
            "clients": clients,
            "quality": quality,
            "turns": turns,
            "audio_seconds_per_second": statistics.median(rates[quality]),
            "first_audio_seconds": statistics.median(first[quality]),
        }
        for quality in QUALITIES
    ]


def show(rows: list[dict[str, Any]]) -> str:
    """Both at each number of clients, and how much faster the second is."""
    cells = []
    for balanced, fast in zip(rows[::2], rows[1::2], strict=True):
        rates = [row["audio_seconds_per_second"] for row in (balanced, fast)]
        waits = [row["first_audio_seconds"] for row in (balanced, fast)]
        cells.append((balanced["clients"], *map(number, rates), f"{rates[1] / rates[0]:.2f}", *map(ms, waits)))
    head = (
        "clients",
        "balanced: audio s per s",
        "fast: audio s per s",
        "fast ÷ balanced",
        "balanced: first audio ms",
        "fast: first audio ms",
    )
    return f"Medians of turns.\n\n{table(head, cells)}"


SECTION = Section("vocoders", "The fast vocoder and the balanced one", measure, show)
