"""The fast vocoder against the balanced one: of the whole service, and of the stage alone."""

from __future__ import annotations

import json
import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import tritonclient.grpc as grpcclient

from bench.figures import ms, number, table
from bench.setting import Section, Setting, Skipped, speaker
from bench.texts import prose
from bench.ways import VOICE
from client import Synthesizer

QUALITIES = ("balanced", "fast")
CLIENTS = (1, 8)
TEXTS = tuple(prose(60, seed) for seed in range(8))


def measure(setting: Setting) -> list[dict[str, Any]]:
    """Turns of each quality, after each other, at each number of clients."""
    description = json.loads((setting.repository / VOICE / "voice.json").read_text(encoding="utf-8"))
    missing = [quality for quality in QUALITIES if quality not in description["qualities"]]
    if missing:
        raise Skipped(f"the voice {VOICE} has no quality {', '.join(missing)}")
    models = {quality: f"{VOICE}_{description['qualities'][quality]}" for quality in QUALITIES}
    rows = []
    with (
        setting.server() as server,
        speaker(server) as synthesizer,
        grpcclient.InferenceServerClient(server.address.grpc) as triton,
    ):
        for clients in CLIENTS:
            setting.tell(f"{clients} clients")
            rows += _at(synthesizer, triton, models, clients, setting.pick(12, 2))
    return rows


def _at(
    synthesizer: Synthesizer,
    triton: grpcclient.InferenceServerClient,
    models: dict[str, str],
    clients: int,
    turns: int,
) -> list[dict[str, Any]]:
    rates: dict[str, list[float]] = defaultdict(list)
    first: dict[str, list[float]] = defaultdict(list)
    computed: dict[str, list[float]] = defaultdict(list)
    with ThreadPoolExecutor(clients) as pool:

        def turn(quality: str, asked: list[str]) -> None:
            before, begin = _computed(triton, models[quality]), time.perf_counter()
            answers = list(pool.map(lambda text: synthesizer.synthesize(text, voice=VOICE, quality=quality), asked))
            elapsed = time.perf_counter() - begin
            if wrong := {answer.quality for answer in answers} - {quality}:
                raise RuntimeError(f"asked for {quality}, {', '.join(sorted(wrong))} answered: is memory short?")
            audio = sum(answer.duration for answer in answers)
            rates[quality].append(audio / elapsed)
            computed[quality].append((_computed(triton, models[quality]) - before) / audio)
            first[quality] += [answer.first_audio for answer in answers]

        for quality in QUALITIES:
            turn(quality, list(TEXTS))
        for figures in (rates, first, computed):
            figures.clear()
        for index in range(turns):
            asked = [TEXTS[(index * clients + each) % len(TEXTS)] for each in range(2 * clients)]
            for quality in QUALITIES if index % 2 else QUALITIES[::-1]:
                turn(quality, asked)
    return [
        {
            "clients": clients,
            "quality": quality,
            "turns": turns,
            "audio_seconds_per_second": statistics.median(rates[quality]),
            "first_audio_seconds": statistics.median(first[quality]),
            "stage_seconds_per_audio_second": statistics.median(computed[quality]),
        }
        for quality in QUALITIES
    ]


def _computed(triton: grpcclient.InferenceServerClient, model: str) -> float:
    """Seconds that a model has computed so far; what shares a batch shares its time."""
    (found,) = triton.get_inference_statistics(model).model_stats
    return 1e-9 * int(sum(batch.compute_infer.ns for batch in found.batch_stats))


def show(rows: list[dict[str, Any]]) -> str:
    """Both at each number of clients, and how much faster the second is."""

    def both(pair: tuple[dict[str, Any], dict[str, Any]], name: str, shown: Any, upside_down: bool = False) -> str:
        balanced, fast = (row[name] for row in pair)
        return f"{shown(balanced)}, {shown(fast)}, {balanced / fast if upside_down else fast / balanced:.2f}"

    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    cells = [
        (
            pair[0]["clients"],
            both(pair, "audio_seconds_per_second", number),
            both(pair, "first_audio_seconds", ms, upside_down=True),
            both(pair, "stage_seconds_per_audio_second", ms, upside_down=True),
        )
        for pair in pairs
    ]
    head = ("clients", "audio s per s", "first audio ms", "vocoder's ms per s of audio")
    return f"Balanced, fast, and how many times better fast is; medians of turns.\n\n{table(head, cells)}"


SECTION = Section("vocoders", "The fast vocoder and the balanced one", measure, show)
