"""Time to the first audio of texts from a few characters to a book, one listener at a time."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread, ms, table
from bench.setting import Section, Setting, speaker
from bench.texts import prose
from client import Synthesizer

LENGTHS = (10, 30, 100, 300, 1000, 10_000, 50_000)
# Without a mark to pause at: as long as a clause can be.
BREATHLESS = (
    "人工智能正在改变我们的生活方式而且从智能手机到自动驾驶汽车再从在线教育到远程医疗"
    "新的技术不断涌现为人们带来了前所未有的便利和机遇"
)


@dataclass(frozen=True)
class Row:
    """A text, and the seconds from the request to its first audio."""

    characters: int
    one_clause: bool
    first: Spread


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Every length; the rest of a text is not listened to."""
    samples = setting.pick(15, 3)
    texts = [(prose(length), False) for length in LENGTHS[: setting.pick(None, 2)]] + [(BREATHLESS, True)]
    with setting.server() as server, speaker(server) as synthesizer:
        rows = []
        for text, one_clause in texts:
            setting.tell(f"{len(text)} characters")
            _first(synthesizer, text)
            rows.append(Row(len(text), one_clause, Spread.of(_first(synthesizer, text) for _ in range(samples))))
    return [asdict(row) for row in rows]


def _first(synthesizer: Synthesizer, text: str) -> float:
    begin = time.perf_counter()
    with closing(synthesizer.stream(text)) as stream:
        next(stream)
        taken = time.perf_counter() - begin
    # What is under way when a listener leaves ends before the next one comes.
    time.sleep(0.3)
    return taken


def show(rows: list[dict[str, Any]]) -> str:
    """Medians, 95th percentiles and the longest, in milliseconds."""
    head = ("characters", "first audio ms: median", "P95", "longest")
    return table(
        head,
        (
            (
                f"{row['characters']}{' (one clause)' if row['one_clause'] else ''}",
                *(ms(row["first"][name]) for name in ("p50", "p95", "most")),
            )
            for row in rows
        ),
    )


SECTION = Section("any_length", "Time to first audio, whatever the length", measure, show)
