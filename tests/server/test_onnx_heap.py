"""A stage gives the memory of a peak back: the heap is trimmed when it is idle, and only then."""

from __future__ import annotations

import threading
import time

import pytest
from ort_heap import Heap


class Library:
    """Stands for the C library and notes what is asked of it."""

    def __init__(self) -> None:
        self.options: dict[int, int] = {}
        self.trims = 0
        self.trimmed = threading.Event()

    def mallopt(self, option: int, value: int) -> int:
        self.options[option] = value
        return 1

    def malloc_trim(self, _pad: int) -> int:
        self.trims += 1
        self.trimmed.set()
        return 1


@pytest.fixture
def library():
    return Library()


@pytest.fixture
def heap(library):
    made = Heap(library, idle_seconds=0.2)
    yield made
    made.close()


def test_the_heap_is_trimmed_once_after_it_was_used(heap, library):
    heap.used()
    assert library.trimmed.wait(10.0)
    time.sleep(0.5)
    assert library.trims == 1
    library.trimmed.clear()
    heap.used()
    assert library.trimmed.wait(10.0)
    assert library.trims == 2


def test_a_heap_that_was_never_used_is_left_alone(heap, library):
    time.sleep(0.5)
    assert library.trims == 0
    assert set(library.options) == {-1, -3}


def test_closing_ends_the_watcher_without_a_trim(library):
    heap = Heap(library, idle_seconds=60.0)
    heap.used()
    heap.close()
    assert library.trims == 0
    assert not any(thread.name == "heap" and thread.is_alive() for thread in threading.enumerate())


def test_without_glibc_nothing_happens():
    heap = Heap(object())
    heap.used()
    heap.close()
