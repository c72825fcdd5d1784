"""A voice through the real server: what an instruction costs once and again, and loads of 1, 2 and 4 clients."""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import tritonclient.grpc as grpcclient

from bench.figures import Spread, mib, ms, table
from bench.loops import loop
from bench.offer import Asked, Door, in_turn
from bench.processes import memory, total
from bench.sculptor.setting import SculptorSetting
from bench.setting import Section, Setting, Skipped, speaker
from bench.texts import CLOSED_LOOP, instructions
from bench.ways import listen
from client import Synthesizer

CLIENTS = (1, 2, 4)
SECONDS = 10.0
_SEED = 1
# LLaSA has nothing to do when it began nothing for so long; and no voice has so many presets.
_QUIET_SECONDS, _LONGEST_SECONDS = 3.0, 300.0


def measure(setting: SculptorSetting) -> dict[str, Any]:
    """The section. Raises `Skipped` without the small voice."""
    if "small" not in setting.sizes:
        raise Skipped("the small voice is the one that is served")
    small = setting.voice("small")
    return loaded(replace(setting, repository=small.repository), small.name)


def loaded(setting: Setting, voice: str) -> dict[str, Any]:
    """Styles, loads and memory of a voice of the setting's repository."""
    with setting.server() as server, speaker(server) as synthesizer:
        assert server.pid is not None
        door = _Door(voice, server.address.grpc, server.address.metrics)
        # The voice's own style, and then the presets in the background, are designed before anything counts.
        synthesizer.synthesize(CLOSED_LOOP[0], voice=voice)
        door.settle(setting.pick(_LONGEST_SECONDS, 0.0))
        styles = _styles(setting, synthesizer, door)
        (rate,) = (each.sample_rate for each in synthesizer.voices() if each.name == voice)
        loads = [_load(setting, door, clients, rate) for clients in CLIENTS]
        processes = memory(server.pid)
    own = [asdict(row) for row in processes if row.process.startswith(voice)]
    return {"styles": styles, "loads": loads, "memory": own, "pss_mib": total(processes)}


@dataclass(frozen=True)
class _Door:
    """A voice of a server, and the addresses of its gRPC and its metrics."""

    voice: str
    address: str
    metrics: str

    def counts(self) -> dict[str, int]:
        """Sentences that LLaSA began, and designs that were answered from the cache, so far."""
        with grpcclient.InferenceServerClient(self.address) as triton:
            (style,) = triton.get_inference_statistics(f"{self.voice}_style").model_stats
        return {"designs": self._sentences(), "from_cache": style.inference_stats.cache_hit.count}

    def settle(self, seconds: float) -> None:
        """Wait until LLaSA has nothing more to do, but no longer than that."""
        end = time.monotonic() + seconds
        before = -1
        while time.monotonic() < end and (now := self._sentences()) != before:
            before = now
            time.sleep(_QUIET_SECONDS)

    def _sentences(self) -> int:
        counted = rf'tts_language_model_prompts_total{{model="{self.voice}_llasa"[^}}]*}} (\S+)'
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as page:
            found = re.search(counted, page.read().decode())
        return int(float(found[1])) if found else 0


def _styles(setting: Setting, synthesizer: Synthesizer, door: _Door) -> dict[str, Any]:
    """Instructions that never came before, and then the same ones again; always with the same text."""
    found: dict[str, list[tuple[float, float]]] = {"first": [], "again": []}
    counts = [door.counts()]
    wanted = list(islice(instructions(), setting.pick(12, 2)))
    for name, times in found.items():
        setting.tell(f"instructions, {name}")
        for wish in wanted:
            begin = time.perf_counter()
            heard = listen(synthesizer, CLOSED_LOOP[0], voice=door.voice, style=wish, seed=_SEED)
            times.append((heard.first, time.perf_counter() - begin))
        counts.append(door.counts())
    return {
        name: {
            "first_audio_seconds": asdict(Spread.of(first for first, _ in times)),
            "total_seconds": asdict(Spread.of(last for _, last in times)),
            **{key: after[key] - before[key] for key in before},
        }
        for (name, times), before, after in zip(found.items(), counts, counts[1:], strict=False)
    }


def _load(setting: Setting, door: _Door, clients: int, rate: int) -> dict[str, Any]:
    async def run(seconds: float) -> list[Asked]:
        async with Door(door.address, voice=door.voice) as speaking:
            return await in_turn(speaking, CLOSED_LOOP, clients, seconds)

    setting.tell(f"{clients} clients")
    asyncio.run(run(setting.pick(1.0, 0.1)))
    found = loop(asyncio.run(run(setting.pick(SECONDS, 0.5))), rate)
    return {"clients": clients, **asdict(found), "real_time_factor": 1 / found.audio_seconds_per_second}


def show(result: dict[str, Any]) -> str:
    """Tables of styles, loads and memory."""
    styles = []
    for name, row in result["styles"].items():
        first, whole = row["first_audio_seconds"], row["total_seconds"]
        styles.append((name, ms(first["p50"]), ms(first["p95"]), ms(whole["p50"]), row["designs"], row["from_cache"]))
    first, again = (result["styles"][name]["first_audio_seconds"]["p50"] for name in ("first", "again"))
    loads = [
        (
            row["clients"],
            row["requests"],
            f"{ms(row['first_p50_seconds'])}, {ms(row['first_p95_seconds'])}",
            f"{ms(row['p50_seconds'])}, {ms(row['p95_seconds'])}",
            f"{row['real_time_factor']:.3f}",
            row["refused"],
        )
        for row in result["loads"]
    ]
    memories = [(row["process"], mib(row["rss_mib"]), mib(row["pss_mib"])) for row in result["memory"]]
    head = ("instruction", "first audio P50 ms", "P95 ms", "all P50 ms", "LLaSA ran", "from the cache")
    return "\n\n".join(
        [
            table(head, styles) + f"\n\nFirst ÷ again: {first / again:.1f}.",
            table(("clients", "requests", "first audio P50, P95 ms", "all P50, P95 ms", "RTF", "refused"), loads),
            table(("process", "RSS MiB", "PSS MiB"), [*memories, ("the whole server", "", mib(result["pss_mib"]))]),
        ]
    )


SECTION = Section("served", "The small voice served: styles, loads, memory", measure, show)
