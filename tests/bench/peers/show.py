"""The result as Markdown."""

from __future__ import annotations

import math
from typing import Any

from bench.figures import mib, number, table
from bench.figures import ms as finite_ms


def show(result: dict[str, Any]) -> str:
    """Closed loops, Poisson arrivals, goals and layouts."""
    parts = [
        ("Closed loop", _closed(result)),
        ("Poisson arrivals", _open(result)),
        ("Goals", _goals(result)),
        ("Layouts that were tried", _tried(result)),
        ("The same speech", _same(result)),
    ]
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in parts if text)


def ms(seconds: float) -> str:
    """Milliseconds; a dash where nothing was measured, and ∞ where nothing came."""
    return finite_ms(seconds) if math.isfinite(seconds) else "–" if math.isnan(seconds) else "∞"


def _closed(result: dict[str, Any]) -> str:
    head = (
        "system",
        "clients",
        "audio s per s (rounds)",
        "P50 ms",
        "P95 ms",
        "first audio P50, P95 ms",
        "CPU s per audio s",
        "peak MiB",
        "failed",
    )
    rows = []
    for row in result["closed"]:
        rates, latency, first = row["audio_per_second"], row["latency"], row["first"]
        rows.append(
            (
                result["systems"][row["system"]]["title"] if row["clients"] == result["plan"]["clients"][0] else "",
                row["clients"],
                f"{number(rates['median'])} ({number(min(rates['rounds']))}–{number(max(rates['rounds']))})",
                ms(latency["p50"]),
                ms(latency["p95"]),
                f"{ms(first['p50'])}, {ms(first['p95'])}",
                f"{row['cpu_per_audio']:.3f}",
                mib(row["peak_mib"]),
                row["failed"],
            )
        )
    return f"{table(head, rows)}\n\nThe load generator used {result['client_cores']:.2f} cores."


def _open(result: dict[str, Any]) -> str:
    head = (
        "system",
        "of capacity",
        "requests per s",
        "sent",
        "refused",
        "unfinished",
        "P50 ms",
        "P95 ms",
        "first audio P50, P95 ms",
    )
    rows = []
    for row in result["open"]:
        latency, first = row["latency"], row["first"]
        rows.append(
            (
                result["systems"][row["system"]]["title"] if row["share"] == result["plan"]["shares"][0] else "",
                f"{row['share']:.0%}",
                number(row["offered_rate"]),
                row["sent"],
                row["refused"],
                row["unfinished"],
                ms(latency["p50"]),
                ms(latency["p95"]),
                f"{ms(first['p50'])}, {ms(first['p95'])}",
            )
        )
    return table(head, rows)


def _goals(result: dict[str, Any]) -> str:
    rows = [
        (
            goal["promise"],
            goal["system"],
            goal["clients"],
            f"{goal['ratio']:.2f} ({goal['lowest']:.2f}–{goal['highest']:.2f})",
            f"at least {goal['least']:.2g}" if goal["least"] else f"at most {goal['most']:.2g}",
            "yes" if goal["met"] else "no",
        )
        for goal in result["goals"]
    ]
    return table(("ratio", "of", "clients", "measured (rounds)", "goal", "met"), rows) if rows else ""


def _tried(result: dict[str, Any]) -> str:
    rows = [
        (
            name,
            layout["processes"],
            layout["chains"],
            layout["threads"],
            layout["batch"],
            "" if layout["delegate"] else "without XNNPACK",
            ", ".join(
                use
                for use, chosen in zip(("one client", "more"), system["layouts"], strict=True)
                if _is(layout, chosen)
            ),
            ", ".join(number(rate) for rate in layout["audio_rates"].values()),
        )
        for name, system in result["systems"].items()
        for layout in system["tried"]
    ]
    clients = " and ".join(map(str, result["plan"]["trials"]))
    head = (
        "system",
        "processes",
        "at once",
        "threads",
        "batch",
        "kernels",
        "used for",
        f"audio s per s at {clients} clients",
    )
    return table(head, rows) if rows else ""


def _is(tried: dict[str, Any], layout: dict[str, Any]) -> bool:
    return layout.items() <= tried.items()


def _same(result: dict[str, Any]) -> str:
    rows = [
        (
            name,
            ", ".join(f"{each['length']:.2f}" for each in system["same"]),
            ", ".join("–" if each["correlation"] is None else f"{each['correlation']:.4f}" for each in system["same"]),
        )
        for name, system in result["systems"].items()
    ]
    return table(("system", "length ÷ this service's", "correlation"), rows)
