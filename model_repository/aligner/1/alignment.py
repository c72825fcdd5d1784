"""Durations → which unit each mel frame belongs to, and when each word is heard.

This is the length regulator of FastSpeech (Ren et al. 2019, arXiv 1905.09263), kept out of the ONNX stages because its
output length depends on data.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.int32]

# What the text front end says of a clause and postprocess has to know.
_KEPT = ("text", "pause", "lead", "trail", "sample_rate", "hop_length", "voice", "notices")


def frame_counts(
    durations: npt.NDArray[np.float32], speed: float, pauses: Sequence[int] = (), vanishing: Sequence[int] = ()
) -> Frames:
    """Frames per unit, [T] → [T] int32, at a speed factor (2.0 is twice as fast); `pauses` are units that are silent.

    Each duration is rounded on its own first, as the model was trained, but to one frame at least: a consonant without
    any is not heard. Only the units `vanishing`, which need not be heard, may have none. The running sum of what the
    speed makes of that is rounded, so that the whole is as long as asked to within half a frame. Faster speech shortens
    pauses by the square of the speed, as speakers do, which leaves more time to the words.
    """
    least = np.ones(durations.size)
    least[list(vanishing)] = 0.0
    natural = np.maximum(np.rint(durations), least)
    target = max(natural.sum() / speed, least.sum())
    scaled = natural / speed
    silent = np.zeros(natural.size, dtype=bool)
    silent[list(pauses)] = True
    if speed > 1.0 and natural[~silent].any():
        scaled[silent] = natural[silent] / speed**2
        scaled[~silent] *= (target - scaled[silent].sum()) / scaled[~silent].sum()
    # Not rint: it rounds halves to even, and so can give a unit of exactly one frame none.
    ends = np.floor(np.cumsum(_at_least(least, scaled, target)) + 0.5).astype(np.int64)
    return np.diff(ends, prepend=0).astype(np.int32)


def tightened(durations: npt.NDArray[np.float32], clause: dict[str, Any]) -> npt.NDArray[np.float32]:
    """Durations, [T] → [T] in frames; `tight` of the clause are [unit, the seconds that it lasts at most]."""
    out = durations.copy()
    for unit, seconds in clause["tight"]:
        out[unit] = min(out[unit], seconds * clause["sample_rate"] / clause["hop_length"])
    return out


def _at_least(least: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64], total: float) -> npt.NDArray[np.float64]:
    """Values in proportion to `wanted` that sum to `total`, none below `least`."""
    short = wanted < least
    while True:
        if not wanted[~short].any():
            return np.where(short, least, 0.0)
        share = np.where(short, least, wanted * (total - least[short].sum()) / wanted[~short].sum())
        newly = (share < least - 1e-9) & ~short
        if not newly.any():
            return share
        short |= newly


def padded_length(frames: int, tail: int, bucket: int) -> int:
    """The frame axis of a clause: room for `tail` frames after the end, rounded up to a multiple of `bucket`."""
    return -(-(frames + tail) // bucket) * bucket


def alignment(counts: Frames, length: int) -> Frames:
    """The unit index of each frame, [length] int32; the padding repeats the last unit."""
    index = np.repeat(np.arange(counts.size, dtype=np.int32), counts)
    return np.concatenate([index, np.full(length - index.size, max(counts.size - 1, 0), dtype=np.int32)])


def timing(clause: dict[str, Any], counts: Frames) -> dict[str, Any]:
    """Start and end in seconds of each word and phone, and the time of each mark, from the start of the clause.

    `clause` is what the text front end says of it: `words` are [text, first unit, unit after the last], `phones` a
    label per unit, empty where a unit continues the phone before it; `marks` are [name, unit that starts there].
    """
    ends = np.cumsum(counts) * clause["hop_length"] / clause["sample_rate"]
    edges = [0.0, *(round(float(end), 4) for end in ends)]
    words = [
        {
            "text": text,
            "start": edges[first],
            "end": edges[last],
            "phones": _phones(clause["phones"], edges, first, last),
        }
        for text, first, last in clause["words"]
    ]
    marks = [{"name": name, "time": edges[unit]} for name, unit in clause["marks"]]
    return {key: clause[key] for key in _KEPT} | {"frames": int(counts.sum()), "words": words, "marks": marks}


def _phones(labels: list[str], edges: list[float], first: int, last: int) -> list[dict[str, Any]]:
    phones: list[dict[str, Any]] = []
    for i in range(first, last):
        if labels[i] or not phones:
            phones.append({"phone": labels[i], "start": edges[i], "end": edges[i + 1]})
        else:
            phones[-1]["end"] = edges[i + 1]
    return phones


def align(
    durations: npt.NDArray[np.float32], unit_lengths: Frames, speed: npt.NDArray[np.float32], clauses: list[str]
) -> tuple[Frames, Frames, list[str]]:
    """Align the clauses of one request.

    durations [n, T] in frames, unit_lengths [n], speed [n], clauses n JSON texts →
    alignment [n, M], frame_lengths [n], timings n JSON texts. Raises ValueError for NaN.
    """
    if not np.isfinite(durations).all():
        raise ValueError("the encoder gave durations that are not numbers")
    described: list[dict[str, Any]] = [json.loads(text) for text in clauses]
    counts = [
        frame_counts(tightened(row[:length], clause), float(factor), clause["pauses"], clause["vanishing"])
        for row, length, factor, clause in zip(durations, unit_lengths, speed, described, strict=True)
    ]
    lengths = np.array([int(count.sum()) for count in counts], dtype=np.int32)
    padded = max(
        padded_length(int(length), clause["frame_tail"], clause["frame_bucket"])
        for length, clause in zip(lengths, described, strict=True)
    )
    rows = np.stack([alignment(count, padded) for count in counts])
    timings = [
        json.dumps(timing(clause, count), ensure_ascii=False) for clause, count in zip(described, counts, strict=True)
    ]
    return rows, lengths, timings
