"""What a finished synthesis is told as."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from .._assemble import Account
from .._speech import Speech


def line(result: Account | Speech, seconds: float, what: str) -> str:
    """One line for people; ``seconds`` is how long the audio is and ``what`` where it went."""
    quality = f", quality {result.quality}" if result.quality else ""
    return f"{what}: {seconds:.2f} s at {result.sample_rate} Hz, voice {result.voice}{quality}"


def tree(result: Account | Speech, seconds: float) -> dict[str, Any]:
    """Everything, for programs."""
    return {
        "seconds": round(seconds, 6),
        "sample_rate": result.sample_rate,
        "voice": result.voice,
        "quality": result.quality,
        "clauses": [asdict(clause) for clause in result.clauses],
        "marks": [asdict(mark) for mark in result.marks],
        "notices": [asdict(notice) for notice in result.notices],
        "elapsed_seconds": round(result.elapsed, 6),
        "first_audio_seconds": round(result.first_audio, 6),
        "real_time_factor": round(result.elapsed / seconds, 6),
    }
