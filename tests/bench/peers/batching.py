"""Batches of requests that wait for each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Batcher(Generic[Item, Answer]):
    """A queue, of which one thread makes batches, and a semaphore that lets a few of them be computed at once.

    A batch is complete when it has `size` requests, or `wait` seconds after its first one was taken from the queue.
    """

    def __init__(
        self, compute: Callable[[Sequence[Item]], Sequence[Answer]], size: int = 4, wait: float = 0.5, at_once: int = 2
    ) -> None:
        self._compute = compute
        self._size = size
        self._wait = wait
        self._slots = threading.Semaphore(at_once)
        self._queue: SimpleQueue[tuple[Item, Future[Answer]]] = SimpleQueue()
        threading.Thread(target=self._collect, daemon=True).start()

    def __call__(self, item: Item) -> Answer:
        """One request's answer, whenever its batch has it; raises what the batch raised."""
        future: Future[Answer] = Future()
        self._queue.put((item, future))
        return future.result()

    def _collect(self) -> None:
        while True:
            batch = [self._queue.get()]
            end = time.monotonic() + self._wait
            while len(batch) < self._size:
                try:
                    batch.append(self._queue.get(timeout=max(0.0, end - time.monotonic())))
                except Empty:
                    break
            self._slots.acquire()
            threading.Thread(target=self._answer, args=(batch,), daemon=True).start()

    def _answer(self, batch: Sequence[tuple[Item, Future[Answer]]]) -> None:
        try:
            answers = self._compute([item for item, _ in batch])
        except Exception as error:  # belongs to those who asked, whatever it is
            for _, future in batch:
                future.set_exception(error)
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)
        finally:
            self._slots.release()
