"""``batch``: every line once, whatever happens in between."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import soundfile
from client_batches import failures, journal, text_of, write
from client_fakes import Answer, Triton, failed, refuse, speak
from client_programs import Terminal

from client import OutputError
from client.batch import Journal, Reader, _run
from client.cli import main


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Work in an empty directory, keep what the program sets to the test, and do not wait long."""
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_run, "FIRST_PAUSE", 0.01)


def batch(triton: Triton, *arguments: str) -> int:
    """Run the command with the folder ``out``."""
    return main(["batch", *arguments, "-d", "out", "--server", triton.address])


def picky(bad: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> Answer:
    """An answer that refuses the texts in which ``bad`` occurs."""

    def answer(request: Any, context: Any) -> Iterator[Any]:
        if bad in text_of(request):
            context.abort(code, "it cannot be said")
        yield from speak(request, context)

    return answer


def test_every_line_becomes_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    with Triton() as triton:
        assert batch(triton, write(9)) == 0
        assert Counter(map(text_of, triton.requests)) == Counter(f"第{number}行。" for number in range(1, 10))
    out, err = capsys.readouterr()
    assert out.startswith("9 of 9 done: 18.0 s of audio in ")
    assert err == "", "nothing but the result in a pipe"
    assert sorted(os.listdir("out")) == [*(f"{number:06}.wav" for number in range(1, 10)), "journal.jsonl"]
    assert soundfile.info("out/000009.wav").frames == 48000
    first = next(record for record in journal() if record["line"] == 1)
    assert {**first, "hash": ""} == {
        "line": 1,
        "id": "000001",
        "file": "000001.wav",
        "hash": "",
        "seconds": 2.0,
        "voice": "demo",
        "quality": "balanced",
        "notices": ["😀 cannot be said: it was left out"],
    }


def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way = Counter[str]()
    lock = threading.Lock()

    def answer(request: Any, context: Any) -> Iterator[Any]:
        with lock:
            under_way["now"] += 1
            under_way["most"] = max(under_way["most"], under_way["now"])
        time.sleep(0.05)
        yield from speak(request, context)
        with lock:
            under_way["now"] -= 1

    with Triton(answer) as triton:
        assert batch(triton, write(12), "--concurrency", "3") == 0
    assert 1 < under_way["most"] <= 3


def test_formats_and_names_follow_the_lines() -> None:
    lines = ['{"text": "a", "id": "x"}', '{"text": "b", "file": "sub/dir/y.opus"}', '{"text": "c", "file": "z.v1"}']
    Path("in.jsonl").write_text("\n".join(lines))
    with Triton() as triton:
        assert batch(triton, "in.jsonl", "--format", "flac") == 0
    assert soundfile.info("out/x.flac").format == "FLAC"
    assert soundfile.info("out/sub/dir/y.opus").subtype == "OPUS"
    assert soundfile.info("out/z.v1.flac").format == "FLAC"


def test_a_second_run_does_only_what_is_missing_or_changed(capsys: pytest.CaptureFixture[str]) -> None:
    with Triton() as triton:
        assert batch(triton, write(5)) == 0
        del triton.requests[:]
        Path("in.txt").write_text("第1行。\n第2行。\n改了。\n第4行。\n第5行。\n第6行。\n", encoding="utf-8")
        Path("out/000001.wav").unlink()
        capsys.readouterr()
        assert batch(triton, "in.txt", "--json") == 0
        assert sorted(map(text_of, triton.requests)) == sorted(["第1行。", "改了。", "第6行。"])
        tree = json.loads(capsys.readouterr().out)
        assert (tree["items"], tree["done"], tree["done_before"], tree["failed"]) == (6, 3, 3, 0)
        del triton.requests[:]
        assert batch(triton, "in.txt", "--speed", "1.5", "--attribute", "age=老年", "--seed", "3") == 0
        assert len(triton.requests) == 6, "what the command asks for changes every line"
        del triton.requests[:]
        assert batch(triton, "in.txt") == 0
        assert len(triton.requests) == 6, "and changing it back does, too"


def test_failures_are_told_kept_and_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    Path("in.jsonl").write_text('{"text": "好", "id": "a"}\n{"text": 3}\n{"text": "坏", "id": "c"}\n', encoding="utf-8")
    with Triton(picky("坏")) as triton:
        assert batch(triton, "in.jsonl") == 1
        out, err = capsys.readouterr()
        assert out.startswith("1 of 3 done, 2 failed (see out/failures.jsonl): ")
        assert sorted(err.splitlines()) == [
            "line 2: text must be a string, got int",
            "line 3: it cannot be said",
        ]
        assert sorted((item["line"], item["id"], item["error"]) for item in failures()) == [
            (2, "000002", "InvalidRequest"),
            (3, "c", "InvalidRequest"),
        ]
        triton.answers = (speak,)
        del triton.requests[:]
        Path("in.jsonl").write_text('{"text": "好", "id": "a"}\n\n{"text": "坏", "id": "c"}\n', encoding="utf-8")
        assert batch(triton, "in.jsonl") == 0
        assert [text_of(request) for request in triton.requests] == ["坏"]
    assert not Path("out/failures.jsonl").exists()


def test_only_the_first_failures_are_told_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    with Triton(picky("第")) as triton:
        assert batch(triton, write(30)) == 1
    assert len(failures()) == 30
    assert capsys.readouterr().err.count("\n") == 11


def test_a_busy_server_is_waited_for_as_it_asks(capsys: pytest.CaptureFixture[str]) -> None:
    busy = refuse(grpc.StatusCode.UNAVAILABLE, "overloaded, retry after 0.01 s")
    with Triton(*([busy] * 40), speak) as triton:
        assert batch(triton, write(3)) == 0
    assert capsys.readouterr().err == ""


def test_a_server_that_went_away_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    gone = refuse(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    with Triton(*([gone] * 20), speak) as triton:
        assert batch(triton, write(2)) == 0
    assert capsys.readouterr().err == ""


def test_a_server_that_stays_away_ends_the_batch_and_a_later_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    gone = refuse(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    with Triton(speak, speak, gone) as triton:
        assert batch(triton, write(6), "--patience", "0.3", "--concurrency", "1") == 1
        message = failed(capsys)
        assert "Socket closed" in message
        assert message.endswith("given up after 0.3 s, run the batch again to go on")
        assert len(journal()) == 2
        assert not Path("out/failures.jsonl").exists(), "what was not tried has not failed"
        triton.answers = (speak,)
        assert batch(triton, "in.txt") == 0
    assert sorted(record["line"] for record in journal()) == [1, 2, 3, 4, 5, 6]


def test_an_ill_voice_fails_its_items_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_run, "ILL_SECONDS", 0.2)
    lines = [json.dumps({"text": f"{voice}{number}", "voice": voice}) for number in range(5) for voice in ("ill", "ok")]
    Path("in.jsonl").write_text("\n".join(lines))
    with Triton(picky("ill", grpc.StatusCode.UNAVAILABLE)) as triton:
        assert batch(triton, "in.jsonl", "--concurrency", "2") == 1
    assert len(journal()) == 5
    assert {(item["error"], "it cannot be said" in item["message"]) for item in failures()} == {
        ("ServiceUnavailable", True)
    }


def test_no_server_is_said_before_any_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", write(1), "-d", "out", "--server", "127.0.0.1:1"]) == 1
    assert "no gRPC server at 127.0.0.1:1" in failed(capsys)
    assert not Path("out").exists()


WRONG = {
    "no such input": (["none.txt"], "none.txt: cannot be read (No such file or directory)"),
    "a folder": (["."], "cannot be read (Is a directory)"),
    "an empty input": (["empty.txt"], "empty.txt: there is no item in it"),
    "a header without text": (["empty.csv"], "one of them text"),
    "a wrong format": (["in.txt", "--format", "mp3"], "--format must be one of wav, flac, opus, ogg"),
    "no concurrency": (["in.txt", "--concurrency", "0"], "--concurrency must be between 1 and"),
    "patience": (["in.txt", "--patience", "nan"], "--patience must be a number of seconds"),
    "a wrong default": (["in.txt", "--speed", "9"], "speed must be a number between"),
    "a wrong dictionary": (["in.txt", "--dictionary", "none"], "none: cannot be read"),
    "a folder that is a file": (["in.txt", "-d", "in.txt"], "in.txt: cannot be written"),
    "a folder in a file": (["in.txt", "-d", "in.txt/out"], "cannot be written"),
    "a folder with a zero": (["in.txt", "-d", "a\0b"], "null byte"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_exit_2_and_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(1)
    Path("empty.txt").write_text("\n \n")
    Path("empty.csv").write_text("")
    with Triton() as triton:
        folder = [] if "-d" in arguments else ["-d", "out"]
        assert main(["batch", *arguments, *folder, "--server", triton.address]) == 2
        assert not triton.requests
    assert message in failed(capsys)
    assert not Path("out").exists()


def test_two_batches_do_not_share_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    with Journal(Path("out")), Triton() as triton:
        assert batch(triton, write(1)) == 2
    assert "out: another batch is writing there" in failed(capsys)


def test_a_full_disk_ends_the_batch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with Triton() as triton:
        assert batch(triton, write(50)) == 1
        assert len(triton.requests) < 20
    assert "no room left on the disk" in failed(capsys)
    assert sorted(os.listdir("out")) == ["journal.jsonl"]


def test_an_item_whose_file_cannot_be_written_fails_alone() -> None:
    Path("in.jsonl").write_text('{"text": "a", "file": "%s"}\n{"text": "b"}\n' % ("x" * 300))
    with Triton() as triton:
        assert batch(triton, "in.jsonl") == 1
    assert [item["error"] for item in failures()] == ["OutputError"]
    assert len(journal()) == 1


def test_a_bar_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Triton() as triton:
        assert batch(triton, write(7)) == 0
    assert "7/7" in terminal.getvalue()


def test_a_journal_that_cannot_be_written_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").mkdir()
    Path("out/journal.jsonl").mkdir()
    with pytest.raises(OutputError, match="out: cannot be written"):
        Journal(Path("out"))


def test_an_input_of_any_length_needs_little_memory() -> None:
    with open("in.jsonl", "w", encoding="utf-8") as file:
        for number in range(20_000):
            file.write(json.dumps({"text": "长" * 100, "id": str(number)}, ensure_ascii=False) + "\n")
    tracemalloc.start()
    try:
        count = sum(1 for _ in Reader(Path("in.jsonl"), {}, ".wav").lines())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert os.path.getsize("in.jsonl") > 6 << 20
    assert peak < 4 << 20
