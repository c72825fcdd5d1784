"""The measurement: systems take turns under the same loads, several rounds of them."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread
from bench.offer import Asked, at_times, in_turn
from bench.peers.fleet import Fleet
from bench.peers.goals import goals
from bench.peers.layout import Layout
from bench.peers.loads import Closed, Open, arrivals, closed, opened, pooled, together
from bench.peers.same import likeness, listen
from bench.peers.sentences import SENTENCES
from bench.peers.systems import SYSTEMS, Place, Running, System
from bench.processes import Peak, cpu_seconds
from bench.setting import Setting
from export.families.fastspeech2.checkpoint import SAMPLE_RATE

CLOSED_LIMIT = 300.0
Report = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """How long everything takes, in seconds, and how often it is done.

    Before each window of a closed loop there are `lead` seconds that do not count. `shares` are of a system's capacity.
    A request of an open loop that has no answer after `limit` counts as unfinished. `trials` are the numbers of clients
    with which layouts are tried: the best with the first serves one client, the best with the last any more.
    An open loop lasts `open_seconds`, or until there were `open_requests`, but `open_most` at most.
    """

    clients: tuple[int, ...] = (1, 2, 4, 8, 16)
    warm: float = 1.0
    rounds: int = 3
    lead: float = 0.5
    window: float = 3.5
    trials: tuple[int, ...] = (1, 8)
    trial_window: float = 2.5
    shares: tuple[float, ...] = (0.5, 0.8, 1.1)
    open_rounds: int = 1
    open_seconds: float = 8.0
    open_requests: int = 12
    open_most: float = 16.0
    limit: float = 30.0
    compared: int = 3


QUICK = Plan(
    clients=(1, 8),
    warm=0.2,
    rounds=1,
    lead=0.2,
    window=1.0,
    trials=(2,),
    trial_window=0.5,
    shares=(0.5, 1.1),
    open_rounds=1,
    open_seconds=1.5,
    open_requests=2,
    open_most=3.0,
    limit=15.0,
    compared=1,
)


@dataclass(frozen=True)
class Loop:
    """A closed loop, the peak of its system's memory, and the processor seconds it took for a second of audio.

    The last tells what a system costs whatever else the machine is doing, waiting in a loop included.
    """

    load: Closed
    peak_mib: float | None
    cpu_per_audio: float


class Measurement:
    """One run over some systems."""

    def __init__(self, setting: Setting, plan: Plan, systems: Sequence[System], fleet: Fleet) -> None:
        self._setting = setting
        self._plan = plan
        self._systems = systems
        self._fleet = fleet
        # system → the layout for one client and the one for more
        self._layouts: dict[str, tuple[Layout, Layout]] = {}

    async def run(self) -> Report:
        """Everything, as plain data. Raises `RuntimeError` when a system does not start or says something else."""
        same = [await self._same(system) for system in self._systems]
        tried = [await self._try(system) for system in self._systems]
        begin, used = time.perf_counter(), time.process_time()
        rows = await self._closed()
        client_cores = (time.process_time() - used) / (time.perf_counter() - begin)
        rates = {key: [each.load.audio_rate for each in found] for key, found in rows.items()}
        p95 = {key: [Spread.of(each.load.latency).p95 for each in found] for key, found in rows.items()}
        capacities = self._capacities(rows)
        return {
            "plan": asdict(self._plan),
            "sentences": SENTENCES,
            "systems": {
                system.name: {
                    "title": system.title,
                    "same": alike,
                    "tried": layouts,
                    "layouts": [asdict(each) for each in self._layouts[system.name]],
                    "capacity_requests_per_second": capacities[system.name],
                }
                for system, alike, layouts in zip(self._systems, same, tried, strict=True)
            },
            "closed": [_row(*key, found) for key, found in rows.items()],
            "goals": [asdict(each) | {"met": each.met} for each in goals(rates, p95, self._plan.clients)],
            "client_cores": client_cores,
            "open": await self._open(capacities),
        }

    async def _same(self, system: System) -> list[Report]:
        self._setting.tell(f"listening to {system.name}")
        texts = SENTENCES[: self._plan.compared]
        reference = next(each for each in SYSTEMS if each.name == "demo")
        ours, theirs = [(await self._fleet.get(each, each.layouts[0])).speaker for each in (reference, system)]
        found = [likeness(text, await listen(theirs, text), await listen(ours, text)) for text in texts]
        for each in found:
            if not each.good(system.same_networks):
                raise RuntimeError(
                    f"{system.name} says '{each.text}' otherwise than this service ({each.length:.2f} times as long, "
                    f"correlation {each.correlation}): export the voice again, or see what has changed"
                )
        return [asdict(each) for each in found]

    async def _try(self, system: System) -> list[Report]:
        """Measure the layouts of a system and choose."""
        if len(system.layouts) == 1:
            self._layouts[system.name] = (system.layouts[0],) * 2
            return []
        rates: dict[Layout, list[float]] = {}
        for layout in system.layouts[: self._setting.pick(None, 2)]:
            self._setting.tell(f"trying {system.name} with {layout.dump()}")
            found = [
                await self._loop(system, layout, clients, self._plan.trial_window) for clients in self._plan.trials
            ]
            rates[layout] = [each.load.audio_rate for each in found]
        single = [layout for layout in rates if layout.processes == 1]
        alone, many = (max(single, key=lambda each: rates[each][index]) for index in (0, -1))
        self._layouts[system.name] = alone, many
        for layout in rates.keys() - {alone, many}:
            await self._fleet.stop(system, layout)
        return [
            asdict(layout) | {"audio_rates": dict(zip(map(str, self._plan.trials), values, strict=True))}
            for layout, values in rates.items()
        ]

    async def _closed(self) -> dict[tuple[str, int], list[Loop]]:
        rows: dict[tuple[str, int], list[Loop]] = {
            (system.name, clients): [] for system in self._systems for clients in self._plan.clients
        }
        for number in range(self._plan.rounds):
            for clients in self._plan.clients:
                self._setting.tell(f"round {number + 1} of {self._plan.rounds}, {clients} clients")
                for system in self._turn(number):
                    layout = self._layouts[system.name][clients > 1]
                    rows[system.name, clients].append(await self._loop(system, layout, clients, self._plan.window))
        return rows

    async def _loop(self, system: System, layout: Layout, clients: int, window: float) -> Loop:
        begin, cpu, peak = 0.0, 0.0, None

        async def offer(running: Running) -> Sequence[Asked]:
            nonlocal begin, cpu, peak
            used = cpu_seconds(running.pids)
            with Peak(running.pids[0]) as watch:
                begin = time.perf_counter() + self._plan.lead
                asked = await in_turn(running.speaker, SENTENCES, clients, self._plan.lead + window, CLOSED_LIMIT)
            cpu, peak = cpu_seconds(running.pids) - used, watch.mib
            return asked

        asked = await self._fleet.load(system, layout, offer)
        audio = sum(each.samples for each in asked) / SAMPLE_RATE
        return Loop(closed(asked, begin, begin + window), peak, cpu / audio if audio else math.nan)

    def _capacities(self, rows: Mapping[tuple[str, int], Sequence[Loop]]) -> dict[str, float]:
        """Requests per second of each system at the number of clients at which it does most."""
        return {
            system.name: max(
                statistics.median(each.load.request_rate for each in rows[system.name, clients])
                for clients in self._plan.clients
            )
            for system in self._systems
        }

    async def _open(self, capacities: Mapping[str, float]) -> list[Report]:
        rounds: dict[tuple[str, float], list[Open]] = {
            (system.name, share): [] for system in self._systems for share in self._plan.shares
        }
        for number in range(self._plan.open_rounds):
            for share in self._plan.shares:
                self._setting.tell(f"round {number + 1} of {self._plan.open_rounds}, {share:.0%} of the capacity")
                for system in self._turn(number):
                    rate = share * capacities[system.name]
                    if rate:
                        rounds[system.name, share].append(await self._arrive(system, rate, seed=number))
        return [_open_row(*key, together(found)) for key, found in rounds.items() if found]

    async def _arrive(self, system: System, rate: float, seed: int) -> Open:
        async def offer(running: Running) -> Sequence[Asked]:
            plan = self._plan
            seconds = min(max(plan.open_seconds, plan.open_requests / rate), plan.open_most)
            times = arrivals(rate, seconds, seed)
            return await at_times(running.speaker, SENTENCES, times, self._plan.limit)

        return opened(await self._fleet.load(system, self._layouts[system.name][1], offer), rate)

    def _turn(self, number: int) -> Sequence[System]:
        """Who is asked first changes from round to round."""
        at = number % len(self._systems)
        return [*self._systems[at:], *self._systems[:at]]


def _row(system: str, clients: int, rounds: Sequence[Loop]) -> Report:
    loops = [each.load for each in rounds]
    rates = [each.audio_rate for each in loops]
    latency = pooled([each.latency for each in loops])
    return {
        "system": system,
        "clients": clients,
        "audio_per_second": {"median": statistics.median(rates), "rounds": rates},
        "requests_per_second": statistics.median(each.request_rate for each in loops),
        "latency": asdict(latency),
        "p95_rounds": [Spread.of(each.latency).p95 for each in loops],
        "first": asdict(pooled([each.first for each in loops])),
        "cpu_per_audio": statistics.median(each.cpu_per_audio for each in rounds),
        "failed": sum(each.failed for each in loops),
        "peak_mib": max((each.peak_mib for each in rounds if each.peak_mib), default=None),
    }


def _open_row(system: str, share: float, found: Open) -> Report:
    spreads = {"latency": asdict(Spread.of(found.latency)), "first": asdict(Spread.of(found.first))}
    return {"system": system, "share": share} | asdict(found) | spreads


async def measure(setting: Setting, names: Sequence[str]) -> Report:
    """Measure the systems of these names, all without any."""
    systems = [system for system in SYSTEMS if not names or system.name in names]
    plan = setting.pick(Plan(), QUICK)
    async with Place(setting) as place, Fleet(place, plan.warm) as fleet:
        return await Measurement(setting, plan, systems, fleet).run()
