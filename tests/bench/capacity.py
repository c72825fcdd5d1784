"""What machines and money so much speech takes: arithmetic on what `scripts/bench peers` has measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import report
from bench.figures import ms, table

BEGIN, END = "<!-- made by: scripts/bench capacity -->", "<!-- end of what was made -->"
# The profile and quality of each system that was measured, by its file and its name there.
MEASURED = (
    ("peers.json", "tts", "`cpu`", "balanced"),
    ("peers.json", "tts-fast", "`cpu`", "fast"),
    ("peers_amx.json", "tts", "`amx`", "balanced"),
)
PATIENCE = 1.0  # seconds that 95 of 100 listeners wait for their first audio at most
SECONDS_A_DAY = 86_400
LEVELS = (100, 10_000, 1_000_000)  # audio hours a day


@dataclass(frozen=True)
class Terms:
    """What the reader knows better.

    `share` of a machine's throughput is planned with, the busiest hour has `peak` times the mean, and prices are per
    hour: of a core with its memory, and of a card. `card_cores` are beside one card.
    """

    share: float = 0.7
    peak: float = 2.0
    core_price: float = 0.04
    card_price: float = 1.0
    card_cores: int = 16

    def check(self) -> None:
        """Raises `ValueError` for what cannot be."""
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share:g}")
        if not 1 <= self.peak < math.inf:
            raise ValueError(f"peak must be at least 1, got {self.peak:g}")
        if not (0 <= self.core_price < math.inf and 0 <= self.card_price < math.inf):
            raise ValueError("prices must be numbers of 0 or more")
        if self.card_cores < 1:
            raise ValueError(f"card-cores must be at least 1, got {self.card_cores}")


@dataclass(frozen=True)
class Server:
    """A server at the most clients that it makes wait less than `PATIENCE`: seconds of audio per second, the clients,
    and the 95th percentile of the first audio in seconds, where they are known."""

    profile: str
    quality: str
    cores: int
    audio_rate: float
    cards: int = 0
    clients: int | None = None
    first_audio: float | None = None

    def price(self, terms: Terms) -> float:
        """Of an hour."""
        return self.cores * terms.core_price + self.cards * terms.card_price

    def audio_hour(self, terms: Terms) -> float:
        """The price of an hour of audio."""
        return self.price(terms) / (self.audio_rate * terms.share)

    def fleet(self, audio_hours_a_day: float, terms: Terms, times: float = 1.0) -> int:
        """How many are needed for `times` the mean load."""
        rate = audio_hours_a_day * 3600 / SECONDS_A_DAY * times
        return math.ceil(rate / (self.audio_rate * terms.share))


def measured(folder: Path) -> list[Server]:
    """The servers that were measured, from the figures in `folder`."""
    return [_server(report.read(folder / file), system, *about) for file, system, *about in MEASURED]


def _server(figures: dict[str, Any], system: str, profile: str, quality: str) -> Server:
    loads = [load for load in figures["closed"] if load["system"] == system and load["first"]["p95"] < PATIENCE]
    best = max(loads, key=lambda load: load["clients"])
    cores = int(figures["machine"]["cores"])
    rate = float(best["audio_per_second"]["median"])
    return Server(profile, quality, cores, rate, clients=best["clients"], first_audio=best["first"]["p95"])


def around_the_stages(folder: Path) -> float:
    """Seconds of processor per second of audio that a server takes besides its stages, at eight clients."""
    closed = report.read(folder / "peers.json")["closed"]
    cost = {load["system"]: float(load["cpu_per_audio"]) for load in closed if load["clients"] == 8}
    return cost["tts"] - cost["limit"]


def bound(folder: Path, terms: Terms) -> Server:
    """The most that a server with one card could do, if it never waited for the card."""
    rate = terms.card_cores / around_the_stages(folder)
    return Server("a card", "any", terms.card_cores, rate, cards=1)


def tables(folder: Path, terms: Terms) -> str:
    """The part of docs/capacity.md that is made of figures."""
    servers = measured(folder)
    card = bound(folder, terms)
    prices = f"{terms.core_price:g} an hour for a core and {terms.card_price:g} for a card"
    return "\n\n".join(
        (
            BEGIN,
            f"**Measured**, each on {servers[0].cores} cores; {terms.share:.0%} of the throughput is planned with, and "
            f"the prices are {prices}:",
            _servers(servers, terms),
            f"For so many hours of audio a day, with {terms.peak:g} times the mean in the busiest hour. A fleet that "
            "follows the load has the lower price, one that always stands ready for that hour the higher one:",
            _fleets(servers, terms),
            f"**Not measured**, an upper bound for a card beside {terms.card_cores} cores:",
            _servers([card], terms),
            _fleets([card], terms),
            END,
        )
    )


def _servers(servers: Sequence[Server], terms: Terms) -> str:
    head = (
        "profile",
        "quality",
        "clients",
        "first audio P95 ms",
        "audio s per s",
        "listeners",
        "price of an audio hour",
    )
    return table(head, [_row(server, terms) for server in servers])


def _row(server: Server, terms: Terms) -> list[str]:
    return [
        server.profile,
        server.quality,
        "not measured" if server.clients is None else str(server.clients),
        "not measured" if server.first_audio is None else ms(server.first_audio),
        f"{server.audio_rate:.0f}" if server.cards == 0 else f"at most {server.audio_rate:.0f}",
        f"{server.audio_rate * terms.share:.0f}",
        f"{server.audio_hour(terms):.5f}",
    ]


def _fleets(servers: Sequence[Server], terms: Terms) -> str:
    head = (
        "audio hours a day",
        "profile",
        "quality",
        "servers for the mean",
        "for the busiest hour",
        "cores",
        "price a day",
    )
    rows = []
    for hours in LEVELS:
        for server in servers:
            mean, most = (server.fleet(hours, terms, times) for times in (1.0, terms.peak))
            costs = "–".join(f"{count * server.price(terms) * 24:,.2f}" for count in (mean, most))
            cores = f"{most * server.cores:,}"
            rows.append([f"{hours:,}", server.profile, server.quality, f"{mean:,}", f"{most:,}", cores, costs])
    return table(head, rows)


def put(page: str, made: str) -> str:
    """`page` with `made` in the place of what was made before. Raises `ValueError` without such a place."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError("the page has no place for the tables")
    return before + made + after
