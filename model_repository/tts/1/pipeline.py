"""Makes the next items while one is being used."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Executor, Future, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


class _End:
    """What ends a queue: nothing more comes, or the error that ended the producer."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[T], executor: Executor, depth: int = 1) -> Generator[T, None, None]:
    """The items, made on `executor` up to `depth` (and the one being made) before they are asked for.

    An error of the producer comes out where its item would have. Closing this waits until the item being made is
    finished, and makes no more.
    """
    made: queue.Queue[T | _End] = queue.Queue(depth)
    stop = threading.Event()

    def produce() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                _put(made, item, stop)
                if stop.is_set():
                    break
        except BaseException as caught:  # handed on to the consumer, who raises it
            error = caught
        _put(made, _End(error), stop)

    producer = executor.submit(produce)
    try:
        while True:
            item = made.get()
            if isinstance(item, _End):
                if item.error is not None:
                    raise item.error
                return
            yield item
    finally:
        stop.set()
        producer.result()


def side_by_side(calls: Iterator[Callable[[], T]], executor: Executor, width: int) -> Generator[T, None, None]:
    """What the calls return, in order, with `width` of them under way on `executor` at once.

    Closing this makes no more calls and waits for those under way.
    """
    begun: deque[Future[T]] = deque(executor.submit(call) for call in islice(calls, width))
    try:
        while begun:
            result = begun.popleft().result()
            begun.extend(executor.submit(call) for call in islice(calls, 1))
            yield result
    finally:
        wait([future for future in begun if not future.cancel()])


def as_they_come(calls: Iterator[Callable[[], T]], executor: Executor, width: int) -> Generator[T, None, None]:
    """The same for calls that have to be waited for: meanwhile, what those before return is handed out.

    This takes one more thread of `executor`. Closing it waits for the call that is awaited, too.
    """
    begun: deque[Future[T]] = deque()
    free = threading.Semaphore(width)
    stop = threading.Event()

    def begin() -> Iterator[Future[T]]:
        for call in calls:
            while not free.acquire(timeout=0.1):
                if stop.is_set():
                    return
            begun.append(executor.submit(call))
            yield begun[-1]

    futures = ahead(begin(), executor, width)
    try:
        for future in futures:
            result = future.result()
            begun.popleft()
            free.release()
            yield result
    finally:
        stop.set()
        futures.close()
        wait([future for future in begun if not future.cancel()])


def _put(made: queue.Queue[T | _End], item: T | _End, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            made.put(item, timeout=0.1)
            return
        except queue.Full:
            continue
