"""Designs the presets of voices that were used, in the background, so that Triton's response cache has them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from design import Design, ask, canonical
from errors import CancelledError
from generation import Generation
from pool import VoicePool
from stages import Models

# How often it is looked whether nobody waits.
LOOK_SECONDS = 0.1


class Preloader:
    """One design at a time on a thread of its own, begun only while `idle` says that nobody is served.

    A design takes a voice's whole machine for seconds and cannot be interrupted: its voice must be loaded already, and
    one that fails is not tried again, nor are the others of its voice.
    """

    def __init__(
        self,
        presets: Mapping[str, str],
        pool: VoicePool,
        caller: Callable[[Callable[[], None]], Models],
        idle: Callable[[], bool],
        designed: Callable[[str], None],
        log: Callable[[str], None],
    ) -> None:
        self._presets = presets
        self._pool = pool
        self._models = caller(self._check)
        self._idle = idle
        self._designed = designed
        self._log = log
        self._known: set[str] = set()
        self._waiting: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="preload", daemon=True)

    def add(self, block: Mapping[str, Any]) -> None:
        """A plan's block of a designed voice: its presets will be designed, once."""
        with self._lock:
            if block["voice"] in self._known or self._closing.is_set():
                return
            self._known.add(block["voice"])
            self._waiting.put(block)
            if self._thread.ident is None:
                self._thread.start()

    def close(self) -> None:
        """Begin no more, and wait for the one that is being made."""
        with self._lock:
            self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                block = self._waiting.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                continue
            try:
                for instruction in self._presets.values():
                    self._design(block, instruction)
            except CancelledError:
                return
            except Exception as error:  # nobody asked for it: whoever asks for the preset will hear of it
                self._log(f"tts: the presets of voice '{block['voice']}' were not designed: {error}")

    def _design(self, block: Mapping[str, Any], instruction: str) -> None:
        voice = block["voice"]
        while not self._idle():
            if self._closing.wait(LOOK_SECONDS):
                raise CancelledError
        if not any(state.voice == voice and state.state == "ready" for state in self._pool.states()):
            raise LookupError("it was unloaded")
        frames = Generation.parse(block["generation"], voice).frames_per_token
        with self._pool.use(voice, block["stages"], self._check):
            ask(self._models, f"{voice}_{block['style']}", Design(instruction, canonical({}), 0), frames)
        self._designed(voice)

    def _check(self) -> None:
        if self._closing.is_set():
            raise CancelledError
