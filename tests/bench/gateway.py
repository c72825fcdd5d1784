"""What the gateway costs: the same texts over HTTP and over gRPC in turns, and each format."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from gateway.process import Gateway, running

from bench.figures import Spread, ms, number, table
from bench.first_audio import CLIENTS, TEXTS, in_turns
from bench.setting import Section, Setting, speaker
from bench.ways import Heard, heard, listen

COMMAND = "scripts/bench gateway"
PATIENCE = 600.0
FORMATS = ("pcm", "wav", "flac", "opus", "mp3", "aac")
_RATE = 24_000


@dataclass(frozen=True)
class Row:
    """One load; seconds from the request to the first audio and to all of it."""

    text: str
    characters: int
    clients: int
    grpc_first: Spread
    http_first: Spread
    grpc_all: Spread
    http_all: Spread


@dataclass(frozen=True)
class Cost:
    """A format at one client: seconds to its first byte and to its last, the gateway's own processor time for a second
    of audio, and what a second of audio is long."""

    format: str
    first: float
    last: float
    processor: float
    bytes_per_second: float


class Caller:
    """Asks a gateway from several threads, each on a connection of its own that stays open."""

    def __init__(self, gateway: Gateway) -> None:
        self._address = gateway.address
        self._own = threading.local()
        self._all: list[http.client.HTTPConnection] = []

    def listen(self, text: str, form: str = "pcm") -> Heard:
        """Stream a text; the lengths of its pieces are seconds of samples, whatever the format."""
        body = json.dumps({"input": text, "response_format": form})
        begin = time.perf_counter()
        connection = self._connection()
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"the gateway answered {answer.status}: {answer.read()[:200]!r}")
        times: list[float] = []
        lengths: list[float] = []
        while piece := answer.read1(1 << 20):
            times.append(time.perf_counter() - begin)
            lengths.append(len(piece) / 2 / _RATE)
        return heard(times, lengths)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._all:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._own, "connection"):
            self._own.connection = http.client.HTTPConnection(*self._address, timeout=PATIENCE)
            self._all.append(self._own.connection)
        found: http.client.HTTPConnection = self._own.connection
        return found


@contextmanager
def _served(setting: Setting) -> Iterator[tuple[Callable[[str], Heard], Caller, Gateway]]:
    """The way by gRPC, the way by HTTP, and the gateway."""
    with (
        setting.server() as server,
        speaker(server) as synthesizer,
        running("--server", server.address.grpc) as gateway,
        closing(Caller(gateway)) as caller,
    ):
        yield lambda text: listen(synthesizer, text), caller, gateway


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Every length of text at every number of clients."""
    samples = setting.pick(64, 8)
    rows = []
    with _served(setting) as (direct, caller, _):
        for name, texts in list(TEXTS.items())[: setting.pick(None, 1)]:
            for text in texts:
                direct(text)
                caller.listen(text)
            for clients in CLIENTS:
                setting.tell(f"{name}, {clients} clients")
                grpc, http = in_turns([direct, caller.listen], texts, clients, samples)
                rows.append(_row(name, texts, clients, grpc, http))
    return [asdict(row) for row in rows]


def measure_formats(setting: Setting) -> list[dict[str, Any]]:
    """Every format at one client, the formats in turns."""
    (_, texts) = list(TEXTS.items())[setting.pick(-1, 0)]
    turns = setting.pick(4, 1)
    answers: dict[str, list[Heard]] = {form: [] for form in FORMATS}
    spent = dict.fromkeys(FORMATS, 0.0)
    with _served(setting) as (direct, caller, gateway):
        audio = {text: direct(text).audio for text in texts}
        for turn in range(turns + 1):  # the first does not count
            for form in FORMATS:
                setting.tell(f"{form}, {turn} of {turns}")
                before = _processor(gateway)
                found = [caller.listen(text, form) for text in texts]
                if turn:
                    answers[form] += found
                    spent[form] += _processor(gateway) - before
    seconds = turns * sum(audio.values())
    return [asdict(_cost(form, answers[form], spent[form], seconds)) for form in FORMATS]


def _processor(gateway: Gateway) -> float:
    times = gateway.process.cpu_times()
    return float(times.user + times.system)


def _row(name: str, texts: tuple[str, ...], clients: int, grpc: list[Heard], http: list[Heard]) -> Row:
    return Row(
        name,
        len(texts[0]),
        clients,
        Spread.of(answer.first for answer in grpc),
        Spread.of(answer.first for answer in http),
        Spread.of(answer.last for answer in grpc),
        Spread.of(answer.last for answer in http),
    )


def _cost(form: str, answers: list[Heard], spent: float, seconds: float) -> Cost:
    return Cost(
        form,
        Spread.of(answer.first for answer in answers).p50,
        Spread.of(answer.last for answer in answers).p50,
        spent / seconds,
        sum(answer.audio for answer in answers) * 2 * _RATE / seconds,
    )


def show(rows: list[dict[str, Any]]) -> str:
    """Medians and 95th percentiles in milliseconds."""

    def both(row: dict[str, Any], name: str) -> str:
        return f"{ms(row[name]['p50'])}, {ms(row[name]['p95'])}"

    def more(row: dict[str, Any], what: str) -> str:
        return f"{1000 * (row[f'http_{what}']['p50'] - row[f'grpc_{what}']['p50']):+.1f}"

    head = ("text", "characters", "clients", "first audio: gRPC", "HTTP", "more", "all: gRPC", "HTTP", "more")
    cells = [
        (
            *(row[name] for name in ("text", "characters", "clients")),
            both(row, "grpc_first"),
            both(row, "http_first"),
            more(row, "first"),
            both(row, "grpc_all"),
            both(row, "http_all"),
            more(row, "all"),
        )
        for row in rows
    ]
    return f"Medians and P95 in ms; what is more is of medians.\n\n{table(head, cells)}"


def show_formats(rows: list[dict[str, Any]]) -> str:
    """Medians in milliseconds."""
    head = ("format", "first byte", "all", "processor ms a second of audio", "kB a second of audio")
    cells = [
        (row["format"], ms(row["first"]), ms(row["last"]), ms(row["processor"]), number(row["bytes_per_second"] / 1000))
        for row in rows
    ]
    return f"Medians in ms, at one client.\n\n{table(head, cells)}"


SECTIONS = (
    Section("overhead", "The gateway beside gRPC", measure, show),
    Section("formats", "What the formats cost", measure_formats, show_formats),
)
