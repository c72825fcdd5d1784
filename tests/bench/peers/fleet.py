"""Systems that have been started, to be asked in turns; who is not asked waits for requests and does nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from bench.offer import Asked, in_turn
from bench.peers.layout import Layout
from bench.peers.sentences import SENTENCES
from bench.peers.systems import Place, Running, System


class Fleet:
    """Starts a system when it is first asked for, and has it speak for `warm` seconds before anything is measured.

    Enter it; whatever runs is stopped at the end.
    """

    def __init__(self, place: Place, warm: float) -> None:
        self._place = place
        self._warm = warm
        self._running: dict[tuple[str, Layout], tuple[Running, AsyncExitStack]] = {}

    async def __aenter__(self) -> Fleet:
        return self

    async def __aexit__(self, *_: object) -> None:
        for entry in self._running.values():
            await entry[1].aclose()

    async def get(self, system: System, layout: Layout) -> Running:
        """A system that has spoken already."""
        key = system.name, layout
        if key not in self._running:
            stack = AsyncExitStack()
            running = await stack.enter_async_context(system.start(self._place, layout))
            self._running[key] = running, stack
            await in_turn(running.speaker, SENTENCES, 2, self._warm)
        return self._running[key][0]

    async def stop(self, system: System, layout: Layout) -> None:
        """Ends it, if it runs."""
        if entry := self._running.pop((system.name, layout), None):
            await entry[1].aclose()

    async def load(
        self, system: System, layout: Layout, offer: Callable[[Running], Awaitable[Sequence[Asked]]]
    ) -> Sequence[Asked]:
        """The requests of a load. After one that had no audio the system is stopped: it may still be at work on it."""
        asked = await offer(await self.get(system, layout))
        if any(each.status != "OK" for each in asked):
            await self.stop(system, layout)
        return asked
