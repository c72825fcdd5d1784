"""What the style stage costs the first time that an instruction comes, and when it comes again."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import tritonclient.grpc as grpcclient

from bench.figures import Spread, ms, table
from bench.setting import Section, Setting, Skipped
from bench.texts import instructions

MODEL = "demo_style"
BUCKET = 32
_PARTS = ("queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss")


@dataclass(frozen=True)
class Cost:
    """One request: the server's time for it by its own statistics, part by part, and the client's, in seconds."""

    server: float
    wall: float
    parts: dict[str, float]


def measure(setting: Setting) -> dict[str, Any]:
    """Each instruction twice in a row."""
    with setting.server() as server, grpcclient.InferenceServerClient(server.address.grpc) as triton:
        if not triton.is_model_ready(MODEL):
            raise Skipped(f"this repository has no {MODEL}")
        made = instructions()
        for instruction in islice(made, 5):
            _ask(triton, instruction)
        first, again = [], []
        for instruction in islice(made, setting.pick(200, 20)):
            first.append(_ask(triton, instruction))
            again.append(_ask(triton, instruction))
    return {"model": MODEL, "first": _summary(first), "repeated": _summary(again)}


def _ask(triton: grpcclient.InferenceServerClient, instruction: str) -> Cost:
    points = code_points(instruction)
    tensor = grpcclient.InferInput("instruction", list(points.shape), "INT32")
    tensor.set_data_from_numpy(points)
    before = _counts(triton)
    begin = time.perf_counter()
    triton.infer(MODEL, [tensor])
    wall = time.perf_counter() - begin
    after = _counts(triton)
    parts = {part: after[part] - before[part] for part in _PARTS}
    return Cost(sum(parts.values()), wall, parts)


def code_points(text: str) -> np.ndarray[Any, np.dtype[np.int32]]:
    """An instruction as the router gives it to the stage: [1, L], zeros up to whole buckets."""
    normal = unicodedata.normalize("NFKC", text)
    points = np.zeros((1, -(-len(normal) // BUCKET) * BUCKET), np.int32)
    points[0, : len(normal)] = [ord(character) for character in normal]
    return points


def _counts(triton: grpcclient.InferenceServerClient) -> dict[str, float]:
    (found,) = triton.get_inference_statistics(MODEL).model_stats
    return {part: getattr(found.inference_stats, part).ns / 1e9 for part in _PARTS}


def _summary(costs: Iterable[Cost]) -> dict[str, Any]:
    rows = list(costs)
    return {
        "server_seconds": asdict(Spread.of(row.server for row in rows)),
        "wall_seconds": asdict(Spread.of(row.wall for row in rows)),
        "parts_seconds": {part: Spread.of(row.parts[part] for row in rows).p50 for part in _PARTS},
        "cache_hits": sum(row.parts["cache_hit"] > 0 for row in rows),
    }


def show(result: dict[str, Any]) -> str:
    """First and repeated, and their quotient."""
    first, again = result["first"], result["repeated"]

    def line(name: str, row: dict[str, Any]) -> tuple[object, ...]:
        server, wall = row["server_seconds"], row["wall_seconds"]
        hits = f"{row['cache_hits']} of {server['count']}"
        return name, ms(server["p50"]), ms(server["p95"]), ms(wall["p50"]), ms(wall["p95"]), hits

    def quotient(name: str) -> str:
        return f"{first[name]['p50'] / again[name]['p50']:.1f}"

    head = ("instruction", "server P50 ms", "P95 ms", "through gRPC P50 ms", "P95 ms", "from the cache")
    quotients = ("first ÷ repeated", quotient("server_seconds"), "", quotient("wall_seconds"), "", "")
    return table(head, [line("first", first), line("repeated", again), quotients])


SECTION = Section("style_cache", "An instruction, first and repeated", measure, show)
