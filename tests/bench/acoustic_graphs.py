"""The encoder's and the decoder's graphs without a server, in every precision that a processor is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bench.figures import table
from bench.graph_times import THREADS, Race
from export.families.fastspeech2 import demo
from export.families.fastspeech2.stages import decoder_spec, encoder_spec, sample
from export.specs import Precision

# Units and frames of a clause.
CLAUSES = ((10, 64), (20, 128), (40, 256), (48, 320))


def measure(repository: Path, runs: int) -> list[dict[str, Any]]:
    """Medians of interleaved runs, as `Race` takes them, of one clause."""
    rows = []
    for spec in (encoder_spec(demo.ACOUSTIC_CONFIG), decoder_spec(demo.ACOUSTIC_CONFIG)):
        forms = [form for form in (Precision.FP32, Precision.INT8) if form in spec.precisions]
        folder = repository / f"demo_{spec.role}" / "1"
        for threads in THREADS:
            race = Race({form.value: folder / spec.file_name(form) for form in forms}, threads)
            for units, frames in CLAUSES:
                inputs = sample(spec, 1, {"units": units, "frames": frames}, np.random.default_rng(frames))
                seconds = race.medians(inputs, runs)
                rows.append(
                    {"stage": spec.role, "threads": threads, "units": units, "frames": frames, "seconds": seconds}
                )
    return rows


def show(rows: list[dict[str, Any]]) -> str:
    """One table: times, and int8 against float32 where there is both."""
    cells = []
    for row in rows:
        exact, fast = row["seconds"]["fp32"], row["seconds"].get("int8")
        cells.append(
            (
                row["stage"],
                row["threads"],
                row["units"],
                row["frames"],
                f"{1000 * exact:.1f}",
                "" if fast is None else f"{1000 * fast:.1f}",
                "" if fast is None else f"{fast / exact:.2f}",
            )
        )
    return table(("stage", "threads", "units", "frames", "float32: ms", "int8: ms", "int8 ÷ float32"), cells)
