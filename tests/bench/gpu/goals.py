"""What is wanted of a card, and what others have measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """A figure of the report that is to be `least` at least or `most` at most; `find` gives None without it."""

    text: str
    find: Callable[[Results], float | None]
    least: float | None = None
    most: float | None = None

    def met(self, results: Results) -> bool | None:
        """Whether it is reached, None when it was not measured."""
        found = self.find(results)
        if found is None:
            return None
        return (self.least is None or found >= self.least) and (self.most is None or found <= self.most)


REFERENCES = (
    ("HiFi-GAN V1, V100 (its paper)", "167.9 × real time"),
    ("FastPitch + HiFi-GAN, A100 FP16 (NVIDIA)", "518 × real time"),
    ("Riva, 6 streams", "366 × real time"),
    ("Riva, first audio at one stream", "21 ms"),
    ("Source system: batching", "2.3 × the throughput"),
    ("Source system: clients with P95 below 1 s", "3 before, 8 after batching"),
    ("Source system: GPU utilisation under load", "42 % before, 78 % after batching"),
    ("Source system: FP16, LLaSA and CosyVoice2", "memory -32 %, 1.4 × the speed"),
    ("Source system: FP16, Sambert", "memory -37 %, 1.33 × the speed"),
    ("CosyVoice2 by Triton and TensorRT-LLM, L20: first chunk of 1, 2, 4 streams", "220, 477, 1107 ms"),
    ("the same: RTF", "0.124, 0.102, 0.092"),
)


def stage(results: Results, subject: str, precision: str, batch: int) -> float | None:
    """Times real time of a stage, the better of with and without CUDA graphs."""
    rows = results.get("stages", {}).get("rows", [])
    found = [
        row["times_real_time"]
        for row in rows
        if (row["subject"], row["precision"], row["batch"]) == (subject, precision, batch)
        and row.get("times_real_time") is not None
    ]
    return max(found, default=None)


def served(results: Results, voice: str, clients: int, key: str, variant: str = "configured") -> float | None:
    """A figure of a load of the real server."""
    for row in results.get("served", {}).get("rows", []):
        if (row["voice"], row["clients"], row["variant"]) == (voice, clients, variant):
            value = row.get(key)
            return None if value is None else float(value)
    return None


def gain(results: Results, voice: str, variant: str) -> float | None:
    """Throughput of 32 clients as the server is configured, over that of a variant."""
    key = "audio_seconds_per_second"
    configured, other = served(results, voice, 32, key), served(results, voice, 32, key, variant)
    return configured / other if configured and other else None


def memory(results: Results) -> float | None:
    """The card's memory as the server is configured, over that with float32."""
    found = {row["variant"]: row["card_mib"] for row in results.get("served", {}).get("memory", [])}
    configured, whole = found.get("configured"), found.get("fp32")
    return configured / whole if configured and whole else None


def held(results: Results, voice: str) -> float | None:
    """Clients of which P95 keeps below a second."""
    found: float | None = results.get("served", {}).get("held", {}).get(voice)
    return found


GOALS = (
    Goal("HiFi-GAN V1, FP16, batch 32: times real time", lambda r: stage(r, "hifigan_v1.hifigan", "fp16", 32), 3000),
    Goal("demo served, 32 clients: audio s/s", lambda r: served(r, "demo", 32, "audio_seconds_per_second"), 1000),
    Goal("demo served, 1 client: first audio, s", lambda r: served(r, "demo", 1, "first_p50_seconds"), most=0.020),
    Goal("demo served, 32 clients: batching gain", lambda r: gain(r, "demo", "no batching"), 2.3),
    Goal("demo served: clients held at P95 below 1 s", lambda r: held(r, "demo"), 8),
    Goal("demo served, 32 clients: GPU busy", lambda r: served(r, "demo", 32, "gpu_busy"), 0.78),
    Goal("sambert served, 32 clients: speed of FP16 over FP32", lambda r: gain(r, "sambert", "fp32"), 1.33),
    Goal("both voices served: memory of FP16 over FP32", memory, most=0.63),
)
