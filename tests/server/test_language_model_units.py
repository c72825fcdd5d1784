"""The backend of language models without Triton: sampling, batching, bounds, ends, requests and settings."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from language_models import CODES, FIRST, NUCLEUS, RAS, graph, tiny
from lm_desk import Ask, Desk
from lm_generation import RefusedError
from lm_graph import STEP, Cache, Graph, check
from lm_sampling import Nucleus, Ras, Sampler, sampler
from lm_scheduler import Scheduler
from lm_settings import NucleusSettings, RasSettings, Settings
from ort_checks import ConfigError

from export.families.sculptor.language_model import LanguageModelPart
from export.profile_values import PLAIN

Draws = npt.NDArray[np.int64]


def settings_of(part: LanguageModelPart, **changes: str) -> Settings:
    config = part.config("lm", PLAIN)
    return Settings.parse({name: value.string_value for name, value in config.parameters.items()} | changes)


@pytest.fixture(scope="module")
def part() -> LanguageModelPart:
    return tiny(RAS)


@pytest.fixture(scope="module")
def session() -> Any:
    return onnxruntime.InferenceSession(graph(), providers=["CPUExecutionProvider"])


class Slow:
    """A session that counts its runs, holds each until it may go on, and can be made to fail."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.rows: list[int] = []
        self.failing = False
        self.get_inputs, self.get_outputs = session.get_inputs, session.get_outputs

    def run(self, names: Any, feed: Any, options: Any = None) -> Any:
        self.entered.set()
        self.gate.wait(10)
        self.rows.append(len(feed["ids"]))
        if self.failing:
            raise RuntimeError("out of\nmemory")
        return self.session.run(names, feed, options)


Served = SimpleNamespace
Serve = Callable[..., Served]


@pytest.fixture
def serve(part: LanguageModelPart, session: Any) -> Iterator[Serve]:
    """Makes desks before a scheduler on the real graph, with a clock that stands still."""
    made: list[Scheduler] = []

    def make(draws: Sampler | None = None, **changes: str) -> Served:
        settings, slow = settings_of(part, **changes), Slow(session)
        now = [0.0]
        drawing = draws or sampler(settings.sampler, settings.codes)
        scheduler = Scheduler(Graph(slow, settings), settings, drawing, lambda: now[0])
        made.append(scheduler)
        return Served(
            desk=Desk(scheduler, settings, lambda: now[0]),
            scheduler=scheduler,
            session=slow,
            now=now,
            settings=settings,
        )

    yield make
    for scheduler in made:
        scheduler.close()


def finish(served: Served, key: str) -> tuple[list[int], str]:
    """Ask until the end."""
    codes: list[int] = []
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        fresh, end = served.desk.answer(Ask(key))
        codes += fresh
        if end:
            return codes, end
        time.sleep(0.001)
    raise AssertionError("it does not end")


def generate(served: Served, key: str, prompt: list[int], **bounds: int) -> tuple[list[int], str]:
    served.desk.answer(Ask(key, prompt, **bounds))
    return finish(served, key)


class Fixed:
    """Draws what it is told to: the end after so many codes."""

    def __init__(self, count: int) -> None:
        self.count = count

    def draw(self, logits: Any, new: Any, prompt: Any, *, ends: bool, rng: Any) -> int:
        return CODES if ends and len(new) >= self.count else 5


def test_codes_are_those_of_the_whole_sequence_computed_at_once(part: LanguageModelPart, serve: Serve) -> None:
    class Best:
        def draw(self, logits: Any, new: Any, prompt: Any, *, ends: bool, rng: Any) -> int:
            return int(logits[:CODES].argmax())

    served = serve(Best())
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
    for number, prompt in enumerate(prompts):
        served.desk.answer(Ask(str(number), prompt, most=STEP + 20))
    for number, prompt in enumerate(prompts):
        codes, end = finish(served, str(number))
        assert (len(codes), end) == (STEP + 20, "length")
        ids = torch.tensor([[*prompt, *(code + FIRST for code in codes)]], dtype=torch.int32)
        nothing = torch.zeros(1, 2, 2, 1, 4)
        for count in (len(prompt), len(prompt) + 7, ids.shape[1] - 1):
            counts = torch.tensor([[count]], dtype=torch.int32)
            with torch.no_grad():
                logits = part.module(ids, counts, torch.zeros_like(counts), nothing, nothing)[0]
            assert int(logits[0, :CODES].argmax()) == int(ids[0, count]) - FIRST


def test_a_seed_gives_the_same_codes_alone_and_in_company(serve: Serve) -> None:
    served = serve(max_rows="4")
    alone = generate(served, "alone", [1, 2, 3], seed=-7, most=40)
    served.session.gate.clear()
    for number in range(8):
        served.desk.answer(Ask(str(number), [1, 2, 3] if number == 5 else [number] * (number + 1), seed=-7, most=40))
    served.session.gate.set()
    answers = [finish(served, str(number)) for number in range(8)]
    assert answers[5] == alone
    assert generate(served, "other seed", [1, 2, 3], seed=8, most=40) != alone
    assert max(served.session.rows) == 4


def test_rows_join_and_leave_while_others_go_on(serve: Serve) -> None:
    served = serve(Fixed(1000), max_rows="3")
    served.session.gate.clear()
    for key, most in (("a", 2), ("b", 30), ("c", 4), ("d", 30)):
        served.desk.answer(Ask(key, [1], most=most))
    served.session.gate.set()
    assert {key: len(finish(served, key)[0]) for key in "abcd"} == {"a": 2, "b": 30, "c": 4, "d": 30}
    tally = served.scheduler.tally()
    assert (tally.prompts, tally.codes) == (4, 66)
    # Alone, each of them would have taken as many steps as it has codes.
    assert tally.steps < 40
    assert tally.rows == 66


def test_the_end_comes_not_before_the_least_and_not_after_the_most(serve: Serve) -> None:
    served = serve(Fixed(0))
    assert generate(served, "at once", [1]) == ([], "stop")
    assert generate(served, "least", [1], least=3) == ([5, 5, 5], "stop")
    never = serve(Fixed(10**6))
    assert generate(never, "most", [1], most=4) == ([5] * 4, "length")
    codes, end = generate(never, "context", [1] * 390)
    assert (len(codes), end) == (never.settings.context - 390, "length")


def test_codes_are_handed_out_in_pieces_as_asked_for(serve: Serve) -> None:
    served = serve(Fixed(7))
    served.desk.answer(Ask("k", [1], every=4))
    pieces = []
    end = ""
    while not end:
        codes, end = served.desk.answer(Ask("k"))
        pieces += [len(codes)] if codes or end else []
    assert sum(pieces) == 7
    assert all(size >= 4 for size in pieces[:-1])


def test_an_abort_frees_the_row_for_the_next(serve: Serve) -> None:
    served = serve(Fixed(10**6), max_rows="1")
    served.session.gate.clear()
    served.desk.answer(Ask("long", [1]))
    served.desk.answer(Ask("next", [1], most=2))
    assert served.desk.answer(Ask("long", abort=1)) == ([], "abort")
    served.session.gate.set()
    assert finish(served, "next") == ([5, 5], "length")
    assert served.scheduler.tally().codes <= 2 + 2
    assert served.desk.answer(Ask("unknown", abort=1)) == ([], "abort")
    with pytest.raises(RefusedError, match="no generation has this key"):
        served.desk.answer(Ask("long"))


def test_who_is_not_asked_for_any_more_is_dropped(serve: Serve) -> None:
    served = serve(Fixed(10**6), patience_seconds="5", max_rows="1")
    served.session.gate.clear()
    served.desk.answer(Ask("left", [1]))
    served.now[0] = 6.0
    served.desk.answer(Ask("next", [1], most=1))
    served.session.gate.set()
    assert finish(served, "next") == ([5], "length")
    with pytest.raises(RefusedError) as caught:
        served.desk.answer(Ask("left"))
    assert caught.value.status == "NOT_FOUND"


def test_a_failing_graph_fails_those_it_computed_and_nobody_after_them(serve: Serve) -> None:
    served = serve()
    served.session.failing = True
    with pytest.raises(RefusedError, match="the ONNX model failed: out of memory") as caught:
        generate(served, "a", [1])
    assert caught.value.status == "INTERNAL"
    served.session.failing = False
    assert generate(served, "a", [1], most=2)[1]


def test_numbers_that_are_not_finite_are_an_error_of_their_row_alone(serve: Serve) -> None:
    served = serve()
    real = served.session.run

    def broken(names: Any, feed: Any, options: Any = None) -> Any:
        logits, *cache = real(names, feed, options)
        if feed["ids"].shape == (2, 3):
            logits[1, 4] = np.nan
        return [logits, *cache]

    served.session.gate.clear()
    served.session.run = broken
    served.desk.answer(Ask("first", [1], least=3, most=3))
    assert served.session.entered.wait(10)
    for key in ("good", "bad"):
        served.desk.answer(Ask(key, [1, 2, 3], least=3, most=3))
    served.session.gate.set()
    assert len(finish(served, "first")[0]) == 3
    assert len(finish(served, "good")[0]) == 3
    with pytest.raises(RefusedError, match="not finite"):
        finish(served, "bad")


def test_an_unloaded_model_fails_what_it_was_at_and_takes_no_more(serve: Serve) -> None:
    served = serve(Fixed(10**6))
    served.desk.answer(Ask("a", [1]))
    served.scheduler.close()
    with pytest.raises(RefusedError, match="unloaded"):
        finish(served, "a")
    with pytest.raises(RefusedError, match="being unloaded") as caught:
        served.desk.answer(Ask("b", [1]))
    assert caught.value.status == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (Ask("k", []), "prompt is empty"),
        (Ask("k", [FIRST + CODES + 1]), "prompt has the id"),
        (Ask("k", [3, -1]), "prompt has the id -1"),
        (Ask("k", [1] * 400), "prompt has 400 ids: 399 are possible"),
        (Ask("k", [1], least=3, most=2), "at least 3 and at most 2"),
        (Ask("k", [1], most=0), "at most 0"),
        (Ask("k", [1], least=-1), "at least -1"),
        (Ask("k", [1], every=0), "every 0"),
        (Ask("", [1]), "key has 0 characters"),
        (Ask("taken", [1]), "has not ended"),
    ],
)
def test_a_wrong_request_is_refused_with_one_sentence(ask: Ask, message: str, serve: Serve) -> None:
    served = serve(Fixed(10**6))
    served.session.gate.clear()
    served.desk.answer(Ask("taken", [1]))
    with pytest.raises(RefusedError, match=message) as caught:
        served.desk.answer(ask)
    assert caught.value.status == "INVALID_ARGUMENT"
    served.session.gate.set()


def test_too_many_waiting_are_told_to_come_again(serve: Serve) -> None:
    served = serve(Fixed(3), max_rows="1", max_waiting="2")
    served.session.gate.clear()
    served.desk.answer(Ask("runs", [1]))
    assert served.session.entered.wait(10)
    for key in ("first", "second"):
        served.desk.answer(Ask(key, [1]))
    with pytest.raises(RefusedError, match="2 generations wait already") as caught:
        served.desk.answer(Ask("third", [1]))
    assert caught.value.status == "UNAVAILABLE"
    served.session.gate.set()


def test_the_cache_keeps_every_rows_places_when_rows_move_and_it_grows(part: LanguageModelPart) -> None:
    cache = Cache(settings_of(part))
    rng = np.random.default_rng(0)
    expected: list[npt.NDArray[np.float32]] = []
    for count in (3, STEP - 1, 1, 7):
        new = rng.standard_normal((1, 2, 2, count, 4), dtype=np.float32)
        cache.append(new, -new, [count])
        expected.append(new[0])
    assert cache.remove(1) == 3
    expected[1] = expected.pop()
    for _ in range(STEP):
        new = rng.standard_normal((3, 2, 2, 1, 4), dtype=np.float32)
        cache.extend(new, -new)
        expected = [np.concatenate((old, one), axis=2) for old, one in zip(expected, new, strict=True)]
    assert cache.lengths == [row.shape[2] for row in expected]
    for row, value in enumerate(expected):
        assert np.array_equal(cache.keys[row, :, :, : value.shape[2]], value)
        assert np.array_equal(cache.values[row, :, :, : value.shape[2]], -value)
    for _ in range(3):
        cache.remove(0)
    assert cache.keys.size == 0


def hugging_face(logits: torch.Tensor, seen: list[int]) -> torch.Tensor:
    """The probabilities after `generate`'s processors with the settings of `NUCLEUS`, as they are documented."""
    scores = logits.clone().double()
    for code in set(seen):
        scores[code] = scores[code] * 1.05 if scores[code] < 0 else scores[code] / 1.05
    scores = scores / 0.9
    scores[scores < torch.topk(scores, 15).values[-1]] = -torch.inf
    order = torch.argsort(scores)
    tail = torch.softmax(scores[order], 0).cumsum(0) <= 1 - 0.95
    tail[-1] = False
    scores[order[tail]] = -torch.inf
    return torch.softmax(scores, 0)


def test_nucleus_sampling_is_hugging_faces() -> None:
    generator = torch.Generator().manual_seed(0)
    settings = settings_of(tiny(NUCLEUS)).sampler
    assert isinstance(settings, NucleusSettings)
    nucleus = Nucleus(settings, CODES)
    for spread in (0.5, 3.0, 12.0):
        logits = torch.randn(CODES + 1, generator=generator) * spread
        seen = [3, 3, 7, int(logits.argmax())]
        wanted = hugging_face(logits, seen).numpy()
        kept, shares = nucleus.candidates(logits.numpy(), set(seen), ends=True)
        found = np.zeros(CODES + 1)
        found[kept] = shares
        assert np.allclose(found, wanted, atol=1e-12)
        assert CODES not in nucleus.candidates(logits.numpy(), set(), ends=False)[0]


def cosyvoice_nucleus(logits: torch.Tensor) -> dict[int, float]:
    """Indices and probabilities of CosyVoice2's nucleus: the likeliest until they have 0.8 together, or are 25."""
    found: dict[int, float] = {}
    shares, order = torch.softmax(logits.double(), 0).sort(descending=True, stable=True)
    for share, index in zip(shares.tolist(), order.tolist(), strict=True):
        if sum(found.values()) >= 0.8 or len(found) >= 25:
            break
        found[index] = share
    return found


def test_ras_takes_cosyvoices_nucleus_and_draws_anew_what_repeats() -> None:
    generator = torch.Generator().manual_seed(0)
    ras = Ras(RasSettings(0.8, 25, 10, 0.1), CODES)
    for spread in (0.01, 1.0, 5.0):
        logits = torch.randn(CODES + 1, generator=generator) * spread
        shares = torch.softmax(logits.double(), 0).numpy()
        kept, weights = ras.candidates(shares)
        assert dict(zip(kept.tolist(), weights.tolist(), strict=True)) == pytest.approx(cosyvoice_nucleus(logits))
    sharp = np.full(CODES + 1, -3.0)
    sharp[4] = 3.0

    def share_of_best(new: list[int]) -> float:
        rng = np.random.default_rng(1)
        return float(np.mean([ras.draw(sharp, new, [], ends=True, rng=rng) == 4 for _ in range(2000)]))

    assert share_of_best([]) == 1.0
    assert share_of_best([4, *[1] * 10]) == 1.0
    # One of the last ten is a tenth of the window: then all may be drawn, each as likely as it is.
    best = np.exp(3.0) / (np.exp(3.0) + CODES * np.exp(-3.0))
    assert share_of_best([*[1] * 9, 4]) == pytest.approx(best, abs=0.03)


def test_an_end_that_may_not_be_is_drawn_again_and_even_a_certain_one_is_bounded() -> None:
    ras = Ras(RasSettings(0.8, 25, 10, 0.1), CODES)
    likely = np.zeros(CODES + 1)
    likely[CODES] = 4.0
    certain = np.full(CODES + 1, -60.0)
    certain[CODES] = 60.0
    rng = np.random.default_rng(0)
    for logits in (likely, certain):
        assert all(ras.draw(logits, [], [], ends=False, rng=rng) < CODES for _ in range(50))
    assert ras.draw(certain, [], [], ends=True, rng=rng) == CODES


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": ""}, 'the parameter "codes" is ""'),
        ({"layers": "-1"}, '"layers" is "-1"'),
        ({"sampler": "beam"}, "must be nucleus or ras"),
        ({"tau": "nan"}, '"tau" is "nan"'),
        ({"top_p": "2"}, '"top_p" is "2"'),
        ({"max_rows": "0"}, '"max_rows" is "0"'),
        ({"first_code": "50"}, "the last code is id 79, but there are 53 ids"),
    ],
)
def test_wrong_settings_are_refused_by_name(changes: dict[str, str], message: str, part: LanguageModelPart) -> None:
    with pytest.raises(ConfigError, match=message):
        settings_of(part, **changes)


def test_missing_settings_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match='lacks the parameter "ids"'):
        Settings.parse({})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": "3"}, 'input "keys" is'),
        ({"head_size": "8"}, 'input "keys" is'),
        ({"codes": "31"}, 'output "logits" is'),
    ],
)
def test_a_graph_of_other_sizes_is_refused(
    changes: dict[str, str], message: str, part: LanguageModelPart, session: Any
) -> None:
    with pytest.raises(ConfigError, match=message):
        check(session, settings_of(part, **changes))


def test_a_graph_of_something_else_is_refused(part: LanguageModelPart, tmp_path: Path) -> None:
    other = SimpleNamespace(
        get_inputs=lambda: [SimpleNamespace(name="mel", type="tensor(float)", shape=[1])], get_outputs=list
    )
    with pytest.raises(ConfigError, match="the inputs of the ONNX model are mel, not ids"):
        check(other, settings_of(part))  # type: ignore[arg-type]
