"""The next item is made while one is used."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pipeline import ahead


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def test_items_come_in_order(executor):
    assert list(ahead(iter(range(100)), executor)) == list(range(100))


def test_the_next_item_is_made_while_one_is_used(executor):
    made = threading.Event()

    def items():
        yield 0
        made.set()
        yield 1

    stream = ahead(items(), executor)
    assert next(stream) == 0
    assert made.wait(5)
    assert list(stream) == [1]


def test_it_does_not_run_further_ahead_than_it_may(executor):
    made = []

    def items():
        for number in range(10):
            made.append(number)
            yield number

    stream = ahead(items(), executor)
    assert next(stream) == 0
    stream.close()
    assert len(made) <= 4


def test_an_error_comes_where_its_item_would_have(executor):
    def items():
        yield 0
        raise ValueError("broken")

    stream = ahead(items(), executor)
    assert next(stream) == 0
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_closing_waits_for_the_item_that_is_being_made(executor):
    finished = []

    def items():
        yield 0
        threading.Event().wait(0.2)
        finished.append(True)
        yield 1

    stream = ahead(items(), executor)
    next(stream)
    stream.close()
    assert finished in ([], [True])
    assert executor.submit(lambda: "free").result(1) == "free"
