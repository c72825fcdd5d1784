"""What a soak says about the service, in Markdown and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.figures import Trend, mib, number, table, trend
from bench.soak import Run, Sample

HOUR = 3600.0


def slope(samples: Sequence[Sample], since: float) -> Trend | None:
    """How the memory of the server's tree grows, in MiB per hour, from `since` seconds on; None: it cannot be told."""
    late = [(each.seconds, each.tree_mib) for each in samples if each.seconds >= since and each.tree_mib is not None]
    found = trend([seconds for seconds, _ in late], [value for _, value in late])
    return found and Trend(HOUR * found.slope, HOUR * found.error)


def sound(run: Run) -> bool:
    """Whether every request ended as it had to, on one and the same server."""
    return not run.tally.failures and len(run.servers) == 1 and not run.restarts and run.tally.requests > 0


def content(run: Run) -> dict[str, Any]:
    """Everything that was measured; samples column by column."""
    tally, growth = run.tally, slope(run.samples, run.seconds / 2)
    columns = [asdict(sample) for sample in run.samples]
    return {
        "seconds": run.seconds,
        "clients": run.clients,
        "sound": sound(run),
        "restarts": run.restarts,
        "requests": tally.requests,
        "requests_per_second": tally.requests / run.seconds,
        "audio_seconds_per_second": tally.audio / run.seconds,
        "memory_growth_mib_per_hour": growth and asdict(growth),
        "kinds": {kind: found | {"seconds": asdict(found["seconds"])} for kind, found in tally.kinds().items()},
        "notices": tally.notices(),
        "failures": tally.failures,
        "unexpected": [asdict(each) for each in tally.unexpected],
        "service_counted": _counted(run),
        "service_said": run.said,
        "processes_first": run.first_processes,
        "processes_last": run.last_processes,
        "samples": {name: [column[name] for column in columns] for name in columns[0]} if columns else {},
    }


def show(run: Run) -> str:
    """The verdict, the requests, memory over time."""
    tally = run.tally
    requests = table(
        ("kind", "requests", "outcomes", "P50 s", "P95 s"),
        [
            (
                kind,
                sum(found["outcomes"].values()),
                ", ".join(f"{outcome} {count}" for outcome, count in found["outcomes"].items()),
                *((number(found["seconds"].p50), number(found["seconds"].p95)) if found["seconds"].count else "––"),
            )
            for kind, found in tally.kinds().items()
        ],
    )
    parts = [
        f"{run.seconds / 60:.1f} minutes, {run.clients} clients: {tally.requests} requests, "
        f"{tally.requests / run.seconds:.2f} per s, {tally.audio / run.seconds:.1f} s of audio per s; "
        f"{tally.failures} unexpected ends, {run.restarts} restarts of the server.",
        requests,
        _memory(run),
        table(("process", "PSS at first MiB", "PSS at last MiB"), _processes(run)),
    ]
    if tally.failures:
        errors = Counter((each.kind, each.error) for each in tally.unexpected)
        parts.append(table(("unexpected", "error", "times"), [(*key, many) for key, many in errors.most_common()]))
    counts = [f"{name} {outcome} {many}" for name, found in _counted(run).items() for outcome, many in found.items()]
    parts.append(f"The server counted: {', '.join(counts) or 'nothing'}.")
    if tally.notices():
        parts.append("Notices: " + ", ".join(f"{kind} {many}" for kind, many in tally.notices().items()) + ".")
    return "\n\n".join(parts)


def _counted(run: Run) -> dict[str, dict[str, int]]:
    """The server's own counts: what a client tried again shows there only."""
    counted = run.counted
    names = ("requests", "refused", "voice_loads", "voice_unloads", "revivals")
    return {name: dict(getattr(counted, name)) for name in names} if counted else {}


def _memory(run: Run) -> str:
    growth = slope(run.samples, run.seconds / 2)
    told = f"{growth.slope:+.0f} ± {2 * growth.error:.0f} MiB per hour" if growth else "not known from so few samples"
    # A dozen of them show the course; the file has all.
    some = run.samples[:: max(1, len(run.samples) // 12)]
    if run.samples and some[-1] is not run.samples[-1]:
        some.append(run.samples[-1])
    rows = [
        (
            f"{each.seconds / 60:.1f}",
            mib(each.tree_mib),
            mib(each.launcher_mib),
            each.threads,
            each.files,
            "–" if each.degradation_step is None else each.degradation_step,
            each.requests,
            each.failures,
        )
        for each in some
    ]
    head = ("minute", "tree PSS MiB", "launcher PSS MiB", "threads", "files", "step", "requests", "unexpected")
    return f"Growth of the tree over the second half: {told}.\n\n{table(head, rows)}"


def _processes(run: Run) -> list[tuple[object, ...]]:
    first = {row["process"]: row["pss_mib"] for row in run.first_processes}
    return [(row["process"], mib(first.get(row["process"])), mib(row["pss_mib"])) for row in run.last_processes]
