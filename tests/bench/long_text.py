"""Memory over a long text, and how steadily it streams."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from bench.figures import Spread, mib, ms, number, table
from bench.processes import Memory, Peak, forget_peaks, memory, total
from bench.setting import Section, Setting, speaker
from bench.texts import prose
from bench.ways import Heard, listen

SHORT, LONG, QUICK = 500, 50_000, 1_500


def measure(setting: Setting) -> dict[str, Any]:
    """A short and a long text, each on a server of its own."""
    return {"texts": [_one(setting, characters) for characters in (SHORT, setting.pick(LONG, QUICK))]}


def _one(setting: Setting, characters: int) -> dict[str, Any]:
    setting.tell(f"{characters} characters")
    with setting.server() as server, speaker(server) as synthesizer:
        assert server.pid is not None
        listen(synthesizer, prose(60))
        before = memory(server.pid)
        forgotten = forget_peaks(server.pid)
        with Peak(server.pid) as peak:
            heard = listen(synthesizer, prose(characters, seed=characters))
        after = memory(server.pid)
    return {
        "characters": characters,
        "peaks_since": "the text began" if forgotten else "the server started",
        "pss_before_mib": total(before),
        "pss_after_mib": total(after),
        "pss_peak_mib": peak.mib,
        "peak_sum_mib": sum(row.peak_mib or 0.0 for row in after),
        "processes": [asdict(row) for row in after],
        "stream": _stream(heard),
    }


def _stream(heard: Heard) -> dict[str, Any]:
    return {
        "first_seconds": heard.first,
        "last_seconds": heard.last,
        "audio_seconds": heard.audio,
        "pieces": len(heard.lengths),
        "piece_audio_seconds": asdict(Spread.of(heard.lengths)),
        "longest_gap_seconds": heard.longest_gap,
        "stall_seconds": heard.stall,
    }


def show(result: dict[str, Any]) -> str:
    """The whole tree, the processes' peaks, and the streams."""
    texts = result["texts"]
    trees = table(
        ("characters", "PSS before MiB", "PSS peak MiB", "PSS after MiB", "sum of the processes' peaks MiB"),
        [
            (
                text["characters"],
                mib(text["pss_before_mib"]),
                mib(text["pss_peak_mib"]),
                mib(text["pss_after_mib"]),
                mib(text["peak_sum_mib"]),
            )
            for text in texts
        ],
    )
    peaks = [{row["process"]: Memory(**row) for row in text["processes"]} for text in texts]
    processes = table(
        ("process", *(f"peak after {text['characters']} characters, MiB" for text in texts), "quotient"),
        [
            (name, *(mib(found[name].peak_mib) if name in found else "–" for found in peaks), _quotient(name, peaks))
            for name in dict.fromkeys(name for found in peaks for name in found)
        ],
    )
    streams = table(
        ("characters", "audio s", "pieces", "first piece ms", "all s", "longest gap ms", "listener waits s", "RTF"),
        [(text["characters"], *_streamed(text["stream"])) for text in texts],
    )
    return f"{trees}\n\nPeaks since {texts[0]['peaks_since']}:\n\n{processes}\n\n{streams}"


def _quotient(name: str, peaks: list[dict[str, Memory]]) -> str:
    values = [found[name].peak_mib for found in peaks if name in found]
    known = [value for value in values if value]
    return f"{known[-1] / known[0]:.2f}" if len(known) == len(peaks) else "–"


def _streamed(stream: dict[str, Any]) -> tuple[object, ...]:
    return (
        number(stream["audio_seconds"]),
        stream["pieces"],
        ms(stream["first_seconds"]),
        number(stream["last_seconds"]),
        ms(stream["longest_gap_seconds"]),
        number(stream["stall_seconds"]),
        f"{stream['last_seconds'] / stream['audio_seconds']:.3f}",
    )


SECTION = Section("long_text", "Memory over a long text", measure, show)
