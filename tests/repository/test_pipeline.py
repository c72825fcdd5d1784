"""The next item is made while one is used, and calls are made side by side."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pipeline import ahead, side_by_side


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


def test_calls_made_side_by_side_give_their_results_in_order(executor):
    second = threading.Event()

    def first():
        assert second.wait(5), "the second call does not wait for the first"
        return 1

    assert list(side_by_side(iter([first, lambda: second.set() or 2, lambda: 3]), executor, 2)) == [1, 2, 3]


def test_no_more_calls_are_under_way_than_may_be(executor):
    begun = []
    stream = side_by_side((lambda n=n: begun.append(n) or n for n in range(9)), executor, 2)
    assert next(stream) == 0
    assert len(begun) <= 3
    stream.close()
    assert len(begun) <= 3


def test_an_error_comes_where_its_result_would_have_and_ends_the_others(executor):
    ended = threading.Event()
    stream = side_by_side(iter([lambda: 1, lambda: 1 / 0, lambda: ended.wait(0.1) or ended.set()]), executor, 2)
    assert next(stream) == 1
    with pytest.raises(ZeroDivisionError):
        next(stream)
    assert ended.is_set(), "nothing is left running"
