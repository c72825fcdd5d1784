"""A batch that is killed, torn apart or interrupted goes on where it was."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from client_batches import journal, text_of, write
from client_fakes import Triton, final_response, response
from client_programs import start
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from client.batch import Journal, Line, Reader


@pytest.fixture(autouse=True)
def own_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)


def kill_after(process: Any, records: int) -> None:
    """Kill a batch that has finished so many items."""
    until = time.monotonic() + 60
    path = Path("out/journal.jsonl")
    while time.monotonic() < until and process.poll() is None:
        if path.exists() and path.read_bytes().count(b"\n") >= records:
            break
        time.sleep(0.01)
    process.kill()
    process.communicate(timeout=30)


def own_audio(request: Any, context: Any) -> Iterator[Any]:
    """Audio that tells its text apart: its length is the line's number in 64ths of a second."""
    time.sleep(0.02)
    number = int("".join(filter(str.isdigit, text_of(request))))
    yield response(number / 64)
    yield final_response()


def test_a_batch_that_is_killed_goes_on_without_losing_or_repeating_a_line() -> None:
    count, concurrency = 60, 3
    arguments = ["batch", write(count), "-d", "out", "--concurrency", str(concurrency)]
    with Triton(own_audio) as triton:
        for records in (7, 25, 44):
            kill_after(start(*arguments, "--server", triton.address), records)
        process = start(*arguments, "--server", triton.address)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, b"")
        asked = Counter(map(text_of, triton.requests))
    assert sorted(record["line"] for record in journal()) == list(range(1, count + 1)), "each exactly once"
    assert set(asked) == {f"第{number}行。" for number in range(1, count + 1)}
    assert sum(asked.values()) <= count + 3 * concurrency, "only what was under way at a kill is asked for again"
    files = sorted(name for name in os.listdir("out") if name != "journal.jsonl")
    assert files == [f"{number:06}.wav" for number in range(1, count + 1)], "and nothing half-written"
    assert [soundfile.info(f"out/{name}").frames for name in files] == [375 * number for number in range(1, count + 1)]


@pytest.mark.usefixtures("ctrl_c_counts")
def test_ctrl_c_is_exit_130_and_a_later_run_goes_on() -> None:
    with Triton(own_audio) as triton:
        process = start("batch", write(40), "-d", "out", "--server", triton.address)
        path = Path("out/journal.jsonl")
        until = time.monotonic() + 60
        while time.monotonic() < until and not (path.exists() and path.read_bytes().count(b"\n") >= 5):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (130, b"", b"error: interrupted\n")
        assert not Path("out/failures.jsonl").exists()
        process = start("batch", "in.txt", "-d", "out", "--server", triton.address)
        process.communicate(timeout=60)
        assert process.returncode == 0
        # A file whose writing took longer than Ctrl-C waits for it is removed by the later run.
        assert not [name for name in os.listdir("out") if name.endswith(".tmp")]
    assert sorted(record["line"] for record in journal()) == list(range(1, 41))


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 400), garbage=st.binary(max_size=20))
def test_a_journal_that_was_torn_anywhere_forgets_no_whole_record(tmp_path: Path, cut: int, garbage: bytes) -> None:
    Path("in.txt").write_text("一\n二\n三\n", encoding="utf-8")
    lines = [line for line in Reader(Path("in.txt"), {}, ".wav").lines() if isinstance(line, Line)]
    path = tmp_path / "torn" / "journal.jsonl"
    path.unlink(missing_ok=True)
    with Journal(path.parent) as first:
        for line in lines:
            first.prepare(line).write_bytes(b"x")
            first.add(line, {})
    whole = path.read_bytes()
    cut = min(cut, len(whole))
    path.write_bytes(whole[:cut] + garbage.replace(b"\n", b""))
    known = whole[:cut].count(b"\n")
    with Journal(path.parent) as second:
        assert [second.has(line) for line in lines][:known] == [True] * known
        for line in lines:
            if not second.has(line):
                second.add(line, {})
    with Journal(path.parent) as third:
        assert all(third.has(line) for line in lines)
