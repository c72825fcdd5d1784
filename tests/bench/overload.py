"""What ten times as many requests as can be answered do to the service."""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import tritonclient.grpc as grpcclient

from bench.figures import Spread, ms, number, table
from bench.offer import Asked, closed_loop, open_loop
from bench.setting import Section, Setting
from bench.texts import CLOSED_LOOP
from client import read_metrics
from server import TritonServer

TIMES = 10
# A deadline that nobody reaches who is let in: then every answer is a refusal at once or audio.
LIMIT = 120.0
SETTLE_SECONDS = 3.0


@dataclass(frozen=True)
class Load:
    """What a load did: requests and answers per second, and how they ended."""

    requests: int
    offered_per_second: float
    answered_per_second: float
    outcomes: dict[str, int]
    answer_seconds: Spread
    refusal_seconds: Spread
    late_sending_seconds: Spread
    client_cores: float
    degradation_step: int | None


def measure(setting: Setting) -> dict[str, Any]:
    """The rate in a closed loop at the bound, ten times of it from outside, and whether all is well afterwards."""
    with setting.server() as server:
        bound = _bound(server)
        closed_loop(server.address.grpc, CLOSED_LOOP, bound, setting.pick(3.0, 1.0))
        setting.tell(f"closed loop of {bound} clients")
        calm = _closed(server, bound, setting.pick(20.0, 4.0))
        offered = TIMES * calm.answered_per_second
        setting.tell(f"{offered:.0f} requests per second")
        storm = _open(server, offered, setting.pick(30.0, 5.0))
        afterwards = _open(server, 1.0, 3.0)
        alive = server.running
    return {
        "bound": bound,
        "closed_loop": asdict(calm),
        "overload": asdict(storm),
        "ratio": storm.answered_per_second / calm.answered_per_second,
        "afterwards": asdict(afterwards),
        "server_lived": alive,
    }


def _bound(server: TritonServer) -> int:
    with grpcclient.InferenceServerClient(server.address.grpc) as triton:
        parameters = triton.get_model_config("tts").config.parameters
    return int(parameters["max_in_flight"].string_value)


def _closed(server: TritonServer, clients: int, seconds: float) -> Load:
    begin, used = time.perf_counter(), _used()
    asked = closed_loop(server.address.grpc, CLOSED_LOOP, clients, seconds)
    return _load(server, asked, begin, seconds, _used() - used)


def _open(server: TritonServer, rate: float, seconds: float) -> Load:
    begin, used = time.perf_counter(), _used()
    asked = open_loop(server.address.grpc, CLOSED_LOOP, rate, seconds, LIMIT)
    return _load(server, asked, begin, seconds, _used() - used)


def _load(server: TritonServer, asked: Sequence[Asked], begin: float, seconds: float, used: float) -> Load:
    # What the first requests find, and what is left at the end, is another load than the one that is asked about.
    window = begin + min(SETTLE_SECONDS, seconds / 3), begin + seconds
    lasted = max(each.ended for each in asked) - begin
    return load(asked, window, used / lasted, read_metrics(server.address.metrics).degradation_step)


def load(asked: Sequence[Asked], window: tuple[float, float], client_cores: float, step: int | None) -> Load:
    """A summary; the rates are of what was due, and of what was answered, in the window."""
    begin, end = window
    answered = [each for each in asked if each.samples and each.status == "OK"]
    refused = [each for each in asked if each.status == "UNAVAILABLE"]
    return Load(
        requests=len(asked),
        offered_per_second=sum(begin <= each.due < end for each in asked) / (end - begin),
        answered_per_second=sum(begin <= each.ended < end for each in answered) / (end - begin),
        outcomes=dict(Counter(each.outcome for each in asked).most_common()),
        answer_seconds=Spread.of(each.seconds for each in answered),
        refusal_seconds=Spread.of(each.seconds for each in refused),
        late_sending_seconds=Spread.of(each.sent - each.due for each in asked),
        client_cores=client_cores,
        degradation_step=step,
    )


def _used() -> float:
    """Processor seconds of this process: they are missing in the server where both share a machine."""
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def show(result: dict[str, Any]) -> str:
    """The loads beside each other, and how the requests ended."""
    loads = [
        (f"closed loop, {result['bound']} clients", result["closed_loop"]),
        (f"{TIMES} times that, open loop", result["overload"]),
        ("one per second afterwards", result["afterwards"]),
    ]
    head = (
        "load",
        "offered per s",
        "answered per s",
        "answer P50, P95 ms",
        "refusals",
        "refusal P50, P95, max ms",
        "client's cores",
        "degradation step after",
    )
    rows = []
    for name, found in loads:
        refusal, answer = found["refusal_seconds"], found["answer_seconds"]
        rows.append(
            (
                name,
                number(found["offered_per_second"]),
                number(found["answered_per_second"]),
                f"{ms(answer['p50'])}, {ms(answer['p95'])}" if answer["count"] else "–",
                refusal["count"],
                f"{ms(refusal['p50'])}, {ms(refusal['p95'])}, {ms(refusal['most'])}" if refusal["count"] else "–",
                number(found["client_cores"]),
                found["degradation_step"],
            )
        )
    outcomes = table(
        ("load", "outcome", "requests"),
        [(name, outcome, many) for name, found in loads for outcome, many in found["outcomes"].items()],
    )
    late = result["overload"]["late_sending_seconds"]
    return (
        f"{table(head, rows)}\n\nAnswered under overload ÷ unloaded: {result['ratio']:.2f}. Requests were sent "
        f"{ms(late['p95'])} ms late at P95. The server {'lived' if result['server_lived'] else 'died'}.\n\n{outcomes}"
    )


SECTION = Section("overload", "Overload", measure, show)
