"""A request whose server dies is finished: nothing is missing, nothing comes twice, and it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from client_fakes import RATE, AsyncFakeTransport, FakeTransport
from hypothesis import given, settings
from hypothesis import strategies as st

from client import (
    AsyncSynthesizer,
    Chunk,
    Clause,
    ConnectionLost,
    Deadline,
    InvalidRequest,
    Mark,
    Notice,
    Progress,
    ProtocolError,
    Request,
    ServerUnreachable,
    ServiceUnavailable,
    Synthesizer,
    Word,
    _retry,
)
from client._answer import WASTED
from client._request import Continuation

LOST = ConnectionLost("lost")
AWAY = ServerUnreachable("away")


@dataclass(frozen=True)
class Attempt:
    """How a server answers once: in chunks of so many samples, and after how many of them it dies."""

    sizes: tuple[int, ...] = (7,)
    dies_after: int | None = None
    notice: str = ""


@dataclass(frozen=True)
class Text:
    """What there is to say: the samples of each clause, and after which clauses the client is to ask again."""

    clauses: tuple[int, ...]
    ends: frozenset[int] = frozenset()

    @property
    def samples(self) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
        return np.arange(sum(self.clauses), dtype=np.int16)

    def parts(self) -> list[range]:
        """The clauses of each part of the answer."""
        ends = sorted({end for end in self.ends if end < len(self.clauses)} | {len(self.clauses)})
        return [range(begin, end) for begin, end in zip([0, *ends], ends, strict=False)]

    def chunks(self, part: int, attempt: Attempt) -> Generator[Chunk, None, None]:
        """A part as the front door sends it: a clause and its mark come with the clause's first samples."""
        parts = self.parts()
        count = 0
        for clause in parts[part]:
            begin = sum(self.clauses[:clause])
            end, at = begin + self.clauses[clause], begin
            while at < end:
                size = min(attempt.sizes[count % len(attempt.sizes)], end - at)
                first = at == begin
                yield Chunk(
                    samples=self.samples[at : at + size],
                    sample_rate=RATE,
                    clauses=(_clause(clause, begin, end),) if first else (),
                    marks=(Mark("m", begin / RATE),) if first else (),
                    notices=(Notice("degraded", attempt.notice, "less"),) if count == 0 and attempt.notice else (),
                    progress=Progress(at + size, sum(self.clauses)),
                )
                at += size
                count += 1
        if part + 1 < len(parts):
            yield Chunk(self.samples[:0], RATE, resume=str(part + 1))


def _clause(number: int, begin: int, end: int) -> Clause:
    start, stop = begin / RATE, end / RATE
    return Clause(str(number), start, stop, (Word(str(number), start, stop),))


class Mortal(FakeTransport):
    """Speaks a text; the n-th request is answered as the n-th attempt says, those after the last one well."""

    def __init__(self, text: Text, attempts: Sequence[Attempt]) -> None:
        super().__init__()
        self.text = text
        self.attempts = attempts
        self.reached: list[int] = []  # by each request, as a sample of the whole text

    def synthesize(self, request: Request, deadline: Deadline) -> Generator[Chunk, None, None]:
        number = len(self.requests)
        self.requests.append(request)
        attempt = self.attempts[number] if number < len(self.attempts) else Attempt()
        part = int(request.resume) if isinstance(request, Continuation) else 0
        self.reached.append(sum(self.text.clauses[: self.text.parts()[part].start]))
        for sent, chunk in enumerate(self.text.chunks(part, attempt)):
            if sent == attempt.dies_after:
                raise LOST
            self.reached[-1] += chunk.samples.size
            yield chunk
        if attempt.dies_after is not None:
            raise LOST


Heard = Callable[[FakeTransport], list[Chunk]]


def _sync(fake: FakeTransport) -> list[Chunk]:
    with Synthesizer(transport=fake, timeout=20) as synthesizer:
        return list(synthesizer.stream("好"))


def _async(fake: FakeTransport) -> list[Chunk]:
    async def run() -> list[Chunk]:
        async with AsyncSynthesizer(transport=AsyncFakeTransport(fake), timeout=20) as synthesizer:
            return [chunk async for chunk in synthesizer.stream("好")]

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("heard", [_sync, _async])


def samples(chunks: Sequence[Chunk]) -> list[int]:
    return [int(sample) for chunk in chunks for sample in chunk.samples]


TEXTS = st.builds(
    Text,
    st.lists(st.integers(1, 40), min_size=1, max_size=6).map(tuple),
    st.frozensets(st.integers(1, 5), max_size=3),
)
ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        st.lists(st.integers(1, 25), min_size=1, max_size=4).map(tuple),
        st.none() | st.integers(0, 12),
        st.sampled_from(["", "small", "light"]),
    ),
    max_size=5,
)


@BOTH
@settings(max_examples=100, deadline=None)
@given(text=TEXTS, attempts=ATTEMPTS)
def test_however_servers_die_all_is_heard_once_unless_some_in_a_row_bring_nothing_new(
    heard: Heard, text: Text, attempts: list[Attempt]
) -> None:
    fake = Mortal(text, attempts)
    try:
        chunks = heard(fake)
    except ConnectionLost:
        assert max(fake.reached[-WASTED:]) <= max(fake.reached[:-WASTED], default=0)
        return
    assert samples(chunks) == text.samples.tolist()
    names = [str(number) for number in range(len(text.clauses))]
    assert [clause.text for chunk in chunks for clause in chunk.clauses] == names
    assert [mark.time for chunk in chunks for mark in chunk.marks] == [
        sum(text.clauses[:number]) / RATE for number in range(len(text.clauses))
    ]
    done = [chunk.progress.done for chunk in chunks if chunk.progress is not None]
    assert done == sorted(set(done))
    assert done[-1] == sum(text.clauses)


@BOTH
def test_what_came_before_a_death_is_left_out_whatever_the_pieces_of_the_next_answer(heard: Heard) -> None:
    fake = Mortal(Text((10, 10)), [Attempt((6,), 3, "small"), Attempt((4,), None, "small")])
    chunks = heard(fake)
    assert [chunk.samples.size for chunk in chunks] == [6, 4, 6, 2, 2]
    assert [len(chunk.notices) for chunk in chunks] == [1, 0, 0, 0, 0]


@BOTH
def test_each_death_after_new_audio_counts_anew(heard: Heard) -> None:
    fake = Mortal(Text((40,)), [Attempt((1,), number) for number in range(1, 12)])
    assert samples(heard(fake)) == list(range(40))
    assert len(fake.requests) == 12


@BOTH
@pytest.mark.parametrize(("dies_after", "requests"), [(0, WASTED), (2, 1 + WASTED)])
def test_a_text_that_ends_every_server_is_given_up(heard: Heard, dies_after: int, requests: int) -> None:
    fake = Mortal(Text((40,)), [Attempt(dies_after=dies_after)] * 99)
    with pytest.raises(ConnectionLost):
        heard(fake)
    assert len(fake.requests) == requests


@BOTH
def test_a_death_between_two_parts_costs_no_repetition(heard: Heard) -> None:
    fake = Mortal(Text((10, 10), frozenset([1])), [Attempt((10,), 2)])
    assert samples(heard(fake)) == list(range(20))
    assert [getattr(request, "resume", "") for request in fake.requests] == ["", "1"]


def chunk(count: int, rate: int = RATE, text: str = "好") -> Chunk:
    return Chunk(np.zeros(count, dtype=np.int16), rate, clauses=(Clause(text, 0.0, 1.0),))


@BOTH
@pytest.mark.parametrize(
    "other", [chunk(10, rate=16000), chunk(10, text="不"), chunk(4)], ids=["rate", "text", "short"]
)
def test_a_server_with_another_answer_is_not_gone_on_with(heard: Heard, other: Chunk) -> None:
    with pytest.raises(ProtocolError, match="do all servers have the same voices"):
        heard(FakeTransport([chunk(8), LOST], [other]))


@BOTH
@pytest.mark.parametrize("begun", [[chunk(8), LOST], [LOST]], ids=["heard", "waiting"])
def test_a_request_that_was_under_way_outlasts_a_restart_of_its_server(heard: Heard, begun: list[Chunk]) -> None:
    fake = FakeTransport(begun, *([AWAY] for _ in range(2 * _retry.ATTEMPTS)), [chunk(10)])
    assert len(samples(heard(fake))) == 10


@BOTH
def test_a_request_that_no_server_took_is_given_up_soon(heard: Heard) -> None:
    fake = FakeTransport([AWAY])
    with pytest.raises(ServiceUnavailable):
        heard(fake)
    assert len(fake.requests) == _retry.ATTEMPTS


@BOTH
def test_a_restart_that_takes_too_long_is_not_waited_for(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client._answer.RECOVERY", 0.05)
    with pytest.raises(ServerUnreachable, match="away"):
        heard(FakeTransport([chunk(8), LOST], [AWAY]))


@BOTH
def test_an_error_of_the_request_is_not_repeated(heard: Heard) -> None:
    fake = FakeTransport([chunk(8), InvalidRequest("a later paragraph is wrong")])
    with pytest.raises(InvalidRequest):
        heard(fake)
    assert len(fake.requests) == 1


def test_a_repetition_is_logged_with_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="client"):
        _sync(FakeTransport([chunk(RATE), LOST], [chunk(RATE)]))
    assert caplog.messages == ["the request is sent again after 1.00 s of audio: lost"]
