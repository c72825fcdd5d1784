"""The measurements: each takes a running server and gives plain numbers."""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil
import tritonclient.grpc as grpcclient

from client import Synthesizer

TEXTS = {
    "short": "你好，很高兴认识你。",
    "medium": "今天天气晴朗，气温二十五度，非常适合出门散步和朋友聊天。",
    "long": "人工智能正在改变我们的生活方式，从智能手机到自动驾驶汽车，从在线教育到远程医疗，"
    "新的技术不断涌现，为人们带来了前所未有的便利和机遇。",
}
# Of similar length, so that they meet in the same buckets.
CLOSED_LOOP = (
    "今天天气真好，我们去公园散步吧。",
    "明天上午九点，大家在会议室集合。",
    "这本书写得很有意思，很值得一读。",
    "他昨天晚上没有睡好，今天很疲倦。",
    "请问去火车站应该怎么走比较快呢？",
    "周末的时候，我喜欢在家里看电影。",
    "孩子们在院子里面高兴地唱着歌曲。",
    "这家餐厅的菜做得又好吃又很便宜。",
)
STAGES = ("demo_encoder", "demo_decoder", "demo_melgan")


@dataclass(frozen=True)
class Latency:
    """Medians of one text at one client: seconds of audio, to the first and to the last of it; real-time factor."""

    text: str
    characters: int
    audio_seconds: float
    first_audio_seconds: float
    total_seconds: float
    real_time_factor: float


@dataclass(frozen=True)
class Throughput:
    """A closed loop of clients: audio seconds per second, latency, and how many requests shared an execution."""

    clients: int
    requests: int
    audio_seconds_per_second: float
    p50_seconds: float
    p95_seconds: float
    mean_batch: dict[str, float]


@dataclass(frozen=True)
class Memory:
    """A process of the server: resident and proportional set size in MiB."""

    process: str
    rss_mib: float
    pss_mib: float


def latency(address: str, name: str, repeats: int) -> Latency:
    """Speak one text several times, alone."""
    first: list[float] = []
    total: list[float] = []
    audio = 0.0
    with Synthesizer(address) as synthesizer:
        synthesizer.synthesize(TEXTS[name])
        for _ in range(repeats):
            seen: list[float] = []
            begin = time.perf_counter()
            speech = synthesizer.synthesize(
                TEXTS[name], on_progress=lambda _, seen=seen: seen.append(time.perf_counter())
            )
            total.append(time.perf_counter() - begin)
            first.append(seen[0] - begin)
            audio = speech.duration
    seconds = statistics.median(total)
    return Latency(name, len(TEXTS[name]), audio, statistics.median(first), seconds, seconds / audio)


def throughput(address: str, clients: int, requests: int) -> Throughput:
    """`clients` clients, each sending its next request when its last is answered."""
    triton = grpcclient.InferenceServerClient(address)
    with Synthesizer(address) as synthesizer, ThreadPoolExecutor(clients) as pool:

        def speak(number: int) -> tuple[float, float]:
            begin = time.perf_counter()
            speech = synthesizer.synthesize(CLOSED_LOOP[number % len(CLOSED_LOOP)])
            return speech.duration, time.perf_counter() - begin

        list(pool.map(speak, range(2 * clients)))
        before = {stage: _counts(triton, stage) for stage in STAGES}
        begin = time.perf_counter()
        answers = list(pool.map(speak, range(requests)))
        elapsed = time.perf_counter() - begin
        after = {stage: _counts(triton, stage) for stage in STAGES}
    triton.close()
    waits = sorted(seconds for _, seconds in answers)
    batches = {stage: (after[stage][0] - before[stage][0]) / (after[stage][1] - before[stage][1]) for stage in STAGES}
    return Throughput(
        clients,
        requests,
        sum(audio for audio, _ in answers) / elapsed,
        statistics.median(waits),
        waits[int(0.95 * (len(waits) - 1))],
        {stage: round(size, 2) for stage, size in batches.items()},
    )


def _counts(triton: grpcclient.InferenceServerClient, model: str) -> tuple[int, int]:
    (found,) = triton.get_inference_statistics(model).model_stats
    return found.inference_count, found.execution_count


def memory(pid: int) -> list[Memory]:
    """The server and its stub processes."""
    server = psutil.Process(pid)
    rows = []
    for process in (server, *server.children(recursive=True)):
        use = process.memory_full_info()
        words = process.cmdline()
        stub = next((word for word in words if word.endswith("_0_0")), "")
        rows.append(Memory(stub or process.name(), use.rss / 2**20, use.pss / 2**20))
    return sorted(rows, key=lambda row: -row.pss_mib)
