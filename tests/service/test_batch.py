"""Batches against the real server: every line once, whatever happens in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
import soundfile
from own_server import Copy, front_door

from client.cli import main
from server import ServerOptions, TritonServer

WORDS = ("你好。", "今天天气真好。", "我们去公园散步吧。", "重庆的火锅很有名。", "再见！")


@pytest.fixture(autouse=True)
def own_directory(monkeypatch, tmp_path, repository):
    monkeypatch.setenv("PYTHONPATH", str(repository.parent))
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    monkeypatch.chdir(tmp_path)


def write(count):
    with open("in.jsonl", "w", encoding="utf-8") as file:
        for number in range(count):
            item = {"text": f"第{number}，{WORDS[number % len(WORDS)]}", "id": f"n{number}"}
            file.write(json.dumps(item, ensure_ascii=False) + "\n")


def start(address, *arguments):
    command = [sys.executable, "-m", "client", "batch", "in.jsonl", "-d", "out", "--server", address, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def journal():
    try:
        with open("out/journal.jsonl", encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]
    except FileNotFoundError:
        return []


def until(holds, process):
    end = time.monotonic() + 60
    while not holds() and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.01)


def check(count):
    """Every line is in the journal once, and its file holds what the journal says."""
    records = journal()
    assert sorted(record["id"] for record in records) == sorted(f"n{number}" for number in range(count))
    for record in records:
        assert soundfile.info(f"out/{record['file']}").duration == pytest.approx(record["seconds"], abs=0.001)
    assert len(os.listdir("out")) == count + 1


def test_a_batch_that_is_killed_twice_says_every_line_once(service, triton):
    count, concurrency = 24, 4
    write(count)
    before = triton.counts("tts")[0]
    for finished in (5, 13):
        process = start(service.address.grpc)
        until(lambda finished=finished: len(journal()) >= finished, process)
        process.kill()
        process.communicate(timeout=30)
    process = start(service.address.grpc, "--json")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, b"")
    result = json.loads(out)
    assert (result["items"], result["failed"]) == (count, 0)
    assert result["done_before"] >= 13
    check(count)
    asked = triton.counts("tts")[0] - before
    assert asked <= count + 2 * concurrency, "only what was under way at a kill is asked for again"


def test_bad_lines_are_told_and_the_others_spoken(service, capsys):
    lines = [
        '{"text": "你好。", "id": "good"}',
        '{"text": "你好。", "voice": "nobody"}',
        '{"text": "！！！"}',
        "{",
        '{"text": "再见。", "style": "", "id": "x"}',
    ]
    with open("in.jsonl", "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    assert main(["batch", "in.jsonl", "-d", "out", "--server", service.address.grpc]) == 1
    with open("out/failures.jsonl", encoding="utf-8") as file:
        failed = {record["line"]: record["error"] for record in map(json.loads, file)}
    assert failed == {2: "VoiceNotFound", 3: "InvalidRequest", 4: "InvalidRequest", 5: "InvalidRequest"}
    assert [record["id"] for record in journal()] == ["good"]
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_an_overloaded_server_is_waited_for_as_it_asks(repository, tmp_path, capsys):
    copy = Copy(repository, tmp_path / "repository")
    copy.configure({"max_in_flight": 1, "max_waiting": 0})
    write(6)
    with front_door(copy) as front:
        arguments = ["batch", "in.jsonl", "-d", "out", "--concurrency", "4", "--server", front.server.address.grpc]
        with front.held():
            waiting = front.speak("你好。")
            end = time.monotonic() + 30
            while front.metric("tts_in_flight") < 1:
                assert time.monotonic() < end
                time.sleep(0.05)
            process = start(front.server.address.grpc)
            while front.metric("tts_refused_total", reason="unavailable") < 4:
                assert time.monotonic() < end
                time.sleep(0.05)
        assert process.communicate(timeout=60)[1] == b""
        assert process.returncode == 0
        assert waiting.result().duration > 0
        assert main(arguments) == 0, "nothing is left to do"
    assert capsys.readouterr().out.startswith("0 of 6 done, 6 were there")
    check(6)


def test_a_server_that_is_restarted_is_waited_for(repository):
    count = 16
    write(count)
    with TritonServer(ServerOptions(repository)) as first:
        process = start(first.address.grpc, "--concurrency", "2")
        until(lambda: len(journal()) >= 5, process)
    with TritonServer(ServerOptions(repository, grpc_port=first.address.grpc_port)):
        out, err = process.communicate(timeout=120)
    failures = ""
    if os.path.exists("out/failures.jsonl"):
        with open("out/failures.jsonl", encoding="utf-8") as file:
            failures = file.read()
    assert (process.returncode, err) == (0, b""), failures
    assert out.decode().startswith(f"{count} of {count} done")
    check(count)
