"""Memory of voices that are loaded when they are first asked for."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.own_server import Copy

from bench.figures import mib, table
from bench.processes import memory, total
from bench.setting import PATIENCE, Section, Setting
from bench.texts import prose
from client import Synthesizer
from server import ServerAddress, ServerOptions, TritonServer, repository, stubs
from server.frontdoor import UNSAYABLE, ask

VOICES = ("demo", "anna", "bert")
LEAVE_SECONDS = 60.0
SETTLE_SECONDS = 1.0


def measure(setting: Setting) -> dict[str, Any]:
    """The same voice by three names, asked for one after the other, then unloaded."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Copy(setting.repository, Path(folder) / "models")
        for name in VOICES[1:]:
            copy.add_voice(name)
        options = ServerOptions(
            copy.folder, profile=setting.profile, control="explicit", load=repository.shared(copy.folder)
        )
        # The usual probe would load a voice.
        with (
            TritonServer(options, probe=_probe) as server,
            Synthesizer(server.address.grpc, timeout=PATIENCE) as synthesizer,
        ):
            rows = [_row(server, "no voice", None)]
            for count, name in enumerate(VOICES, 1):
                begin = time.perf_counter()
                first = synthesizer.synthesize("你好。", voice=name)
                loaded = time.perf_counter() - begin
                for seed in range(setting.pick(8, 1)):
                    synthesizer.synthesize(prose(60, seed), voice=name)
                rows.append(_row(server, f"{count} of 3 voices", loaded if first.samples.size else None))
            for name in VOICES:
                synthesizer.unload(name)
            _await_end(server, VOICES)
            rows.append(_row(server, "all unloaded", None))
    return {"voices": VOICES, "rows": rows}


def _probe(address: ServerAddress) -> None:
    """Nothing is spoken, but the front door and the front end have worked once."""
    ask(address, UNSAYABLE)


def _row(server: TritonServer, state: str, first_request: float | None) -> dict[str, Any]:
    assert server.pid is not None
    time.sleep(SETTLE_SECONDS)
    rows = memory(server.pid)
    return {
        "state": state,
        "processes": len(rows),
        "pss_mib": total(rows),
        "rss_mib": sum(row.rss_mib for row in rows),
        "first_request_seconds": first_request,
    }


def _await_end(server: TritonServer, voices: Sequence[str]) -> None:
    """Unloading returns before the processes have ended."""
    assert server.pid is not None
    end = time.monotonic() + LEAVE_SECONDS
    while any(repository.voice_of(stub.model, voices) for stub in stubs.living(server.pid).values()):
        if time.monotonic() > end:
            raise RuntimeError(f"unloaded voices still had processes after {LEAVE_SECONDS:.0f} s")
        time.sleep(0.1)


def show(result: dict[str, Any]) -> str:
    """The whole tree in each state, and what the first request for a voice took with its loading."""
    head = ("loaded", "processes", "PSS MiB", "against no voice", "first request with loading s")
    rows = result["rows"]
    start = rows[0]["pss_mib"]
    return table(
        head,
        [
            (
                row["state"],
                row["processes"],
                mib(row["pss_mib"]),
                "–" if row["pss_mib"] is None else f"{row['pss_mib'] - start:+.0f}",
                "–" if row["first_request_seconds"] is None else f"{row['first_request_seconds']:.2f}",
            )
            for row in rows
        ],
    )


SECTION = Section("on_demand", "Voices on demand", measure, show)
