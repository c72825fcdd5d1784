"""The real server in a closed loop of clients: throughput, waiting, how busy the card is, gain of batching and FP16."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from bench.figures import ms, number, table
from bench.gpu import nvml
from bench.gpu.setting import GpuSetting
from bench.gpu.stages import left_out
from bench.gpu.subjects import SAMBERT
from bench.loops import loop
from bench.offer import Asked, Door, in_turn
from bench.processes import memory, total
from bench.setting import Section
from bench.texts import CLOSED_LOOP
from client import Synthesizer
from server import ServerOptions, TritonServer

CLIENTS = (1, 3, 8, 16, 32)
SECONDS = 8.0
# A listener's patience, and the share of the answers that has to keep it.
PATIENCE_SECONDS = 1.0
CONFIGURED, SINGLE, FLOAT = "configured", "no batching", "fp32"


def held(rows: Iterable[Mapping[str, Any]]) -> int:
    """The most clients of which P95 keeps a listener's patience, with every fewer number tried keeping it, too."""
    most = 0
    for row in sorted(rows, key=lambda row: row["clients"]):
        if row["refused"] or not row["p95_seconds"] < PATIENCE_SECONDS:
            break
        most = row["clients"]
    return most


def without_batching(config: model_config_pb2.ModelConfig) -> None:
    """Requests are computed one by one."""
    config.ClearField("dynamic_batching")


def in_float(config: model_config_pb2.ModelConfig) -> None:
    """The stage's float32 file is served."""
    if config.default_model_filename:
        config.default_model_filename = "model.onnx"


CHANGES = {CONFIGURED: None, SINGLE: without_batching, FLOAT: in_float}


def changed(repository: Path, folder: Path, variant: str) -> Path:
    """The repository itself, or a copy of it in which every stage's configs are changed."""
    change = CHANGES[variant]
    if change is None:
        return repository
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(repository, folder)
    for file in (*folder.glob("*/config.pbtxt"), *folder.glob("*/configs/*.pbtxt")):
        config = text_format.Parse(file.read_text(encoding="utf-8"), model_config_pb2.ModelConfig())
        # What is built into int8 has one file only, and what is no stage is not batched.
        if config.backend == "onnxruntime":
            change(config)
            file.write_text(text_format.MessageToString(config, as_utf8=True), encoding="utf-8")
    return folder


def measure(setting: GpuSetting) -> dict[str, Any]:
    """The section."""
    source = setting.subjects.repository  # exported here and now, which is no part of the section's time
    deadline = setting.deadline()
    rows: list[dict[str, Any]] = []
    memories: list[dict[str, Any]] = []
    missed = []
    for variant in CHANGES:
        repository = changed(source, setting.work / "changed", variant)
        before = nvml.used_mib()
        options = ServerOptions(repository, profile=setting.profile)
        with TritonServer(options) as server, nvml.Watch(before_mib=before) as card:
            rates = sample_rates(server)
            for voice in ("demo", SAMBERT):
                for clients in setting.pick(CLIENTS if variant == CONFIGURED else CLIENTS[-1:], (2,)):
                    name = f"{voice}, {variant}, {clients} clients"
                    if deadline.passed:
                        missed.append(name)
                        continue
                    setting.tell(name)
                    row = _row(server, voice, clients, rates[voice], setting)
                    rows.append({"voice": voice, "variant": variant, **row})
            assert server.pid is not None
            memories.append(
                {"variant": variant, "card_mib": card.usage.memory_mib, "host_mib": total(memory(server.pid))}
            )
    return {"rows": rows, "memory": memories, "held": _held(rows), "left_out": missed}


def sample_rates(server: TritonServer) -> dict[str, int]:
    """Of every voice that is served."""
    with Synthesizer(server.address.grpc) as synthesizer:
        return {voice.name: voice.sample_rate for voice in synthesizer.voices()}


def _row(server: TritonServer, voice: str, clients: int, rate: int, setting: GpuSetting) -> dict[str, Any]:
    async def run(seconds: float) -> list[Asked]:
        async with Door(server.address.grpc, voice=voice) as door:
            return await in_turn(door, CLOSED_LOOP, clients, seconds)

    # Every size of batch is computed once before it counts.
    asyncio.run(run(setting.pick(SECONDS / 4, 0.1)))
    with nvml.Watch() as card:
        asked = asyncio.run(run(setting.pick(SECONDS, 0.5)))
    return {"clients": clients, **vars(loop(asked, rate)), "gpu_busy": card.usage.busy}


def _held(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    voices = dict.fromkeys(row["voice"] for row in rows)
    return {
        voice: held(row for row in rows if (row["voice"], row["variant"]) == (voice, CONFIGURED)) for voice in voices
    }


def show(result: dict[str, Any]) -> str:
    """A table of the loads, one of memory, and the clients that are held."""
    head = ("voice", "variant", "clients", "audio s/s", "P50 ms", "P95 ms", "first ms, P50, P95", "GPU busy", "refused")
    loads = [
        (
            row["voice"],
            row["variant"],
            row["clients"],
            number(row["audio_seconds_per_second"]),
            ms(row["p50_seconds"]),
            ms(row["p95_seconds"]),
            f"{ms(row['first_p50_seconds'])}, {ms(row['first_p95_seconds'])}",
            _share(row["gpu_busy"]),
            row["refused"],
        )
        for row in result["rows"]
    ]
    memories = [(row["variant"], _mib(row["card_mib"]), _mib(row["host_mib"])) for row in result["memory"]]
    kept = ", ".join(f"{voice} {clients}" for voice, clients in result["held"].items())
    return "\n\n".join(
        [
            table(head, loads),
            table(("variant", "card MiB", "host MiB"), memories),
            f"Clients held at P95 below {PATIENCE_SECONDS:.0f} s: {kept}." + left_out(result["left_out"]),
        ]
    )


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value == value else "–"


def _mib(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.0f}"


SECTION = Section("served", "The real server under load", measure, show)
