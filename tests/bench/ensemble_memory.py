"""What the longest request that the ensemble takes leaves behind."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Any

import tritonclient.grpc as grpcclient
from tritonclient.utils import InferenceServerException

from bench.figures import mib, number, table
from bench.processes import forget_peaks, memory, total
from bench.setting import Section, Setting
from bench.texts import prose
from bench.ways import VOICE, Heard, whole

# More than a clause of the demo voice can have.
MOST_CHARACTERS = 80


def measure(setting: Setting) -> dict[str, Any]:
    """Memory before, at the peak, right after and some time later, and after ordinary requests."""
    idle = setting.pick(60.0, 3.0)
    description = json.loads((setting.repository / VOICE / "voice.json").read_text(encoding="utf-8"))
    clauses = int(description["max_clauses"])
    with setting.server() as server, grpcclient.InferenceServerClient(server.address.grpc) as triton:
        assert server.pid is not None

        def row(state: str) -> dict[str, Any]:
            assert server.pid is not None
            rows = memory(server.pid)
            return {"state": state, "pss_mib": total(rows), "processes": [asdict(each) for each in rows]}

        def ordinary() -> None:
            for seed in range(setting.pick(8, 1)):
                whole(triton, prose(60, seed))

        ordinary()
        states = [row("before")]
        forgotten = forget_peaks(server.pid)
        text, heard = longest(triton, clauses)
        states.append(row("right after"))
        time.sleep(idle)
        states.append(row(f"after {idle:.0f} s without requests"))
        ordinary()
        states.append(row("after ordinary requests"))
    return {
        "characters": len(text),
        "audio_seconds": heard.audio,
        "peaks_since": "the request" if forgotten else "the server started",
        "peak_sum_mib": sum(each["peak_mib"] or 0.0 for each in states[1]["processes"]),
        "states": states,
    }


def longest(triton: grpcclient.InferenceServerClient, clauses: int) -> tuple[str, Heard]:
    """A text of as many clauses as the ensemble takes in one request, as long as it takes them, and how it was spoken.

    A refusal costs next to nothing, so the length is found by asking.
    """
    refusal = ""
    for characters in range(MOST_CHARACTERS, 1, -1):
        sentence = prose(characters - 1).replace("。", "，").replace("！", "，").replace("\n", "，").rstrip("，")
        text = (sentence + "。") * clauses
        try:
            return text, whole(triton, text)
        except InferenceServerException as error:
            refusal = error.message()
    raise RuntimeError(f"the ensemble takes no text of {clauses} clauses: {refusal}")


def show(result: dict[str, Any]) -> str:
    """The whole tree, and the processes that changed."""
    states = result["states"]
    trees = table(("state", "PSS MiB"), [(state["state"], mib(state["pss_mib"])) for state in states])
    found = [{row["process"]: row for row in state["processes"]} for state in states]
    processes = table(
        ("process", *(f"{state['state']}, PSS MiB" for state in states), "peak MiB"),
        [
            (name, *(mib(rows.get(name, {}).get("pss_mib")) for rows in found), mib(row["peak_mib"]))
            for name, row in found[1].items()
        ],
    )
    return (
        f"{result['characters']} characters in one request, {number(result['audio_seconds'])} s of audio; peaks since "
        f"{result['peaks_since']}, {mib(result['peak_sum_mib'])} MiB in all.\n\n{trees}\n\n{processes}"
    )


SECTION = Section("ensemble_memory", "Memory after the longest request of an ensemble", measure, show)
