"""An instruction that was read once is answered from Triton's response cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tritonclient.grpc as grpcclient

from client import read_metrics
from export.style.stage import encode

MODEL = "demo_style"


@pytest.fixture
def ask(triton) -> Callable[[str], np.ndarray]:
    """The style of an instruction, straight from the stage."""

    def asking(instruction: str) -> np.ndarray:
        points = encode([instruction])
        given = grpcclient.InferInput("instruction", list(points.shape), "INT32")
        given.set_data_from_numpy(points)
        return triton.client.infer(MODEL, [given]).as_numpy("style")[0]

    return asking


@pytest.fixture
def cached(service) -> Callable[[], tuple[int, int]]:
    """Hits and misses of the stage's cache so far, from the server's metrics."""

    def counting() -> tuple[int, int]:
        metrics = read_metrics(service.address.metrics)
        (stage,) = (one for one in metrics.models if one.model == MODEL)
        return stage.cache_hits or 0, stage.cache_misses or 0

    return counting


def test_an_equal_instruction_is_a_hit_and_the_same_style(triton, ask, cached):
    instruction = "像清晨的鸟儿一样，语速稍快，音调偏高"
    hits, misses = cached()
    first = ask(instruction)
    assert cached() == (hits, misses + 1)
    _, executions = triton.counts(MODEL)
    np.testing.assert_array_equal(ask(instruction), first)
    assert cached() == (hits + 1, misses + 1)
    assert triton.counts(MODEL)[1] == executions, "the stage ran again"


def test_another_instruction_is_a_miss(ask, cached):
    ask("像傍晚的钟声一样，语速较慢")
    hits, misses = cached()
    ask("像傍晚的钟声一样，语速较快")
    assert cached() == (hits, misses + 1)


def test_a_style_of_a_synthesis_is_read_once(synthesizer, cached):
    style = "像午后的溪水一样，语速较慢，声音很轻"
    hits, misses = cached()
    first = synthesizer.synthesize("今天天气真好。", style=style)
    again = synthesizer.synthesize("今天天气真好。", style=style)
    assert cached() == (hits + 1, misses + 1)
    np.testing.assert_array_equal(first.samples, again.samples)
    assert not [notice for notice in first.notices if notice.kind == "style"]


def test_presets_are_in_the_cache_from_the_start(synthesizer, cached):
    presets = synthesizer.styles()
    hits, misses = cached()
    for preset in presets:
        synthesizer.synthesize("你好。", style=preset.name)
    assert cached() == (hits + len(presets), misses)
