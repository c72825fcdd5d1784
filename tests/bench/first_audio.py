"""Time to first audio and to all of it, streamed against whole, with the same texts in turns."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import tritonclient.grpc as grpcclient

from bench.figures import Spread, ms, table
from bench.setting import Section, Setting, speaker
from bench.texts import CLOSED_LOOP, prose
from bench.ways import Heard, listen, whole

CLIENTS = (1, 4, 8)
TEXTS = {
    "a sentence": CLOSED_LOOP,
    "two or three": tuple(prose(60, seed) for seed in range(8)),
    "a paragraph": tuple(prose(150, seed) for seed in range(8)),
}
Speak = Callable[[str], Heard]


@dataclass(frozen=True)
class Row:
    """One load; seconds from the request. What comes whole has its first audio with all of it."""

    text: str
    characters: int
    clients: int
    audio: float
    streamed_first: Spread
    streamed_all: Spread
    whole_all: Spread


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Every length of text at every number of clients."""
    samples = setting.pick(24, 8)
    with (
        setting.server() as server,
        speaker(server) as synthesizer,
        grpcclient.InferenceServerClient(server.address.grpc) as triton,
    ):

        def streamed(text: str) -> Heard:
            return listen(synthesizer, text)

        def at_once(text: str) -> Heard:
            return whole(triton, text)

        rows = []
        for name, texts in list(TEXTS.items())[: setting.pick(None, 1)]:
            for text in texts:
                at_once(text)
                streamed(text)
            for clients in CLIENTS:
                setting.tell(f"{name}, {clients} clients")
                heard = in_turns([streamed, at_once], texts, clients, samples)
                rows.append(_row(name, texts, clients, *heard))
    return [asdict(row) for row in rows]


def in_turns(ways: list[Speak], texts: tuple[str, ...], clients: int, samples: int) -> list[list[Heard]]:
    """`samples` answers or a few more for each way, from `clients` at once.

    The ways take turns, and turns about who is first; each way speaks the same texts, alone on the server.
    """
    answers: list[list[Heard]] = [[] for _ in ways]
    # Each client asks twice in a turn: it is then busy for most of it, and turns are short beside the machine's moods.
    size = 2 * clients
    with ThreadPoolExecutor(clients) as pool:
        for turn in range(-(-samples // size)):
            asked = [texts[(turn * size + index) % len(texts)] for index in range(size)]
            order = list(range(len(ways)))
            for way in order if turn % 2 else order[::-1]:
                answers[way] += pool.map(ways[way], asked)
    return answers


def _row(name: str, texts: tuple[str, ...], clients: int, streamed: list[Heard], at_once: list[Heard]) -> Row:
    return Row(
        name,
        len(texts[0]),
        clients,
        sum(answer.audio for answer in at_once) / len(at_once),
        Spread.of(answer.first for answer in streamed),
        Spread.of(answer.last for answer in streamed),
        Spread.of(answer.last for answer in at_once),
    )


def show(rows: list[dict[str, Any]]) -> str:
    """Medians and 95th percentiles in milliseconds."""

    def both(spread: dict[str, Any]) -> str:
        return f"{ms(spread['p50'])}, {ms(spread['p95'])}"

    def ratio(row: dict[str, Any], name: str) -> str:
        return f"{row[name]['p50'] / row['whole_all']['p50']:.2f}"

    head = (
        "text",
        "characters",
        "clients",
        "streamed: first audio",
        "all",
        "whole: all",
        "first ÷ whole",
        "all ÷ whole",
    )
    cells = [
        (
            row["text"],
            row["characters"],
            row["clients"],
            both(row["streamed_first"]),
            both(row["streamed_all"]),
            both(row["whole_all"]),
            ratio(row, "streamed_first"),
            ratio(row, "streamed_all"),
        )
        for row in rows
    ]
    return f"Medians and P95 in ms; the quotients are of medians.\n\n{table(head, cells)}"


SECTION = Section("first_audio", "Time to first audio, streamed and whole", measure, show)
