"""What `python -m export verify` prints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict

from export.accuracy import Loss
from export.specs import Precision
from export.verify import Row


def as_json(what: str, precision: Precision, rows: Iterable[Row], losses: Mapping[str, Loss]) -> str:
    """One object: the rows, and by stage what the precision loses against the float32 graph."""
    content = [asdict(row) | {"passed": row.passed} for row in rows]
    return json.dumps(
        {
            "family": what,
            "precision": precision.value,
            "passed": all(row["passed"] for row in content),
            "rows": content,
            "losses": {role: asdict(loss) for role, loss in losses.items()},
        }
    )


def table(precision: Precision, rows: Iterable[Row], losses: Mapping[str, Loss]) -> str:
    """The same for reading."""
    return "\n".join([*_against_reference(rows), *_against_float32(precision, losses)])


def _against_reference(rows: Iterable[Row]) -> Iterator[str]:
    yield f"{'stage':<16}{'array':<36}{'module':>10}{'onnx':>10}{'allowed':>10}{'dB':>8}"
    for row in rows:
        errors = f"{row.module_error:>10.1e}{row.onnx_error:>10.1e}{row.tolerance:>10.1e}"
        mark = "" if row.passed else "  FAILED"
        yield f"{row.stage:<16}{row.array:<36}{errors}{min(row.signal_to_noise_db, 999):>8.1f}{mark}"


def _against_float32(precision: Precision, losses: Mapping[str, Loss]) -> Iterator[str]:
    if losses:
        yield f"\n{precision.value} against the float32 graph"
    for role, loss in losses.items():
        error = "" if loss.largest_error is None else f", largest error {loss.largest_error:.1e}"
        yield f"{role:<16}{loss.signal_to_noise_db:.1f} dB of {loss.least_signal_to_noise_db} dB{error}"
