"""The command line against the real server, as a user types it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import pytest
import soundfile
import tritonclient.grpc as grpcclient

from server import ServerOptions, TritonServer

SENTENCE = "今天天气真好，我们去公园散步吧。"


@pytest.fixture
def run(service, tmp_path):
    def call(*arguments, server=None, stdin=None):
        command = [sys.executable, "-m", "client", *arguments]
        address = server or service.address.grpc
        return subprocess.run(
            [*command, "--server", address], capture_output=True, input=stdin, cwd=tmp_path, check=False, timeout=60
        )

    return call


@pytest.fixture(autouse=True)
def _find_the_client(monkeypatch, repository):
    monkeypatch.setenv("PYTHONPATH", str(repository.parent))


@pytest.mark.parametrize("ending", ["wav", "flac", "opus"])
def test_a_sentence_becomes_a_file_of_the_kind_its_name_ends_with(run, tmp_path, ending):
    result = run("synth", SENTENCE, "-o", f"out.{ending}")
    assert result.returncode == 0, result.stderr
    assert f"out.{ending}" in result.stdout.decode()
    samples, rate = soundfile.read(tmp_path / f"out.{ending}")
    assert rate == 24000
    assert 2.5 < len(samples) / rate < 5


def test_text_comes_from_a_file_or_from_standard_input(run, tmp_path):
    (tmp_path / "text.txt").write_text(SENTENCE, encoding="utf-8")
    assert run("synth", "--file", "text.txt", "-o", "a.wav").returncode == 0
    assert run("synth", "-", "-o", "b.wav", stdin=SENTENCE.encode()).returncode == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_json_is_one_object_and_nothing_else(run):
    result = run("synth", SENTENCE, "-o", "out.wav", "--json")
    content = json.loads(result.stdout)
    assert content["voice"] == "demo"
    assert content["seconds"] > 2
    assert not result.stderr


def test_subtitles_cover_the_words(run, tmp_path):
    assert run("synth", SENTENCE, "-o", "out.wav", "--srt", "out.srt").returncode == 0
    srt = (tmp_path / "out.srt").read_text(encoding="utf-8")
    assert srt.startswith("1\n00:00:00,")
    assert "公园" in srt


def test_voices_lists_the_demo_voice(run):
    result = run("voices", "--json")
    assert result.returncode == 0
    (voice,) = json.loads(result.stdout)["voices"]
    assert (voice["name"], voice["family"], voice["sample_rate"]) == ("demo", "fastspeech2", 24000)
    assert (voice["state"], voice["reason"]) == ("ready", "")


def test_a_stream_holds_the_samples_of_the_whole(run, tmp_path):
    text = SENTENCE * 3
    assert run("synth", text, "-o", "whole.wav").returncode == 0
    result = run("stream", text, "-o", "stream.wav", "--json")
    assert result.returncode == 0, result.stderr
    content = json.loads(result.stdout)
    assert content["first_audio_seconds"] < content["elapsed_seconds"], "it begins before it ends"
    assert (tmp_path / "stream.wav").read_bytes() == (tmp_path / "whole.wav").read_bytes()
    piped = run("stream", text, "-o", "-", "--format", "pcm")
    assert piped.stdout == (tmp_path / "whole.wav").read_bytes()[44:]


def test_a_reader_that_leaves_a_stream_ends_the_request(service, triton, tmp_path):
    command = [sys.executable, "-m", "client", "stream", SENTENCE * 200, "-o", "-", "--server", service.address.grpc]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout.read(1000)
    process.stdout.close()
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == b"error: standard output: its reader went away before the end\n"
    process.stderr.close()
    end, before = time.monotonic() + 60, -1
    while (now := triton.counts("demo_melgan")[0]) != before:
        assert time.monotonic() < end, "the server goes on for nobody"
        before = now
        time.sleep(1.0)


def test_a_dictionary_says_how_to_read_a_word(run, tmp_path):
    (tmp_path / "words.tsv").write_text("重庆\tzhong4 qing4\n", encoding="utf-8")
    for arguments, spoken in (([], "ch"), (["--dictionary", "words.tsv"], "zh")):
        content = json.loads(run("synth", "重庆很大。", "-o", "out.wav", "--json", *arguments).stdout)
        assert content["clauses"][0]["words"][0]["phones"][0]["phone"] == spoken


def test_every_style_that_is_listed_is_taken(run):
    result = run("styles", "--json")
    assert result.returncode == 0
    for style in json.loads(result.stdout)["styles"][:2]:
        assert run("synth", "你好。", "-o", "out.wav", "--style", style["name"]).returncode == 0


def test_metrics_count_what_was_asked_for(run, service):
    def counts():
        result = run("metrics", "--json", "--metrics", service.address.metrics)
        assert result.returncode == 0, result.stderr
        return json.loads(result.stdout)

    assert run("synth", SENTENCE, "-o", "out.wav").returncode == 0
    before = counts()
    assert run("synth", SENTENCE, "-o", "out.wav").returncode == 0
    end = time.monotonic() + 30
    while (after := counts())["requests"].get("ok", 0) <= before["requests"].get("ok", 0):
        assert time.monotonic() < end
    assert after["audio_seconds"] > before["audio_seconds"]
    assert after["degradation_step"] in (0, 1, 2, 3)
    (stage,) = (model for model in after["models"] if model["model"] == "demo_encoder")
    assert stage["inferences"] >= stage["executions"] > 0
    assert stage["mean_batch"] >= 1
    words = run("metrics", "--metrics", service.address.metrics).stdout.decode()
    assert words.startswith("requests: ")
    assert "demo_encoder" in words


@pytest.fixture(scope="module")
def managed(repository):
    """A server that loads and unloads voices while it runs."""
    with TritonServer(ServerOptions(repository, control="explicit", load=("*",))) as running:
        yield running


def test_a_voice_is_unloaded_and_loaded_again(run, managed):
    address = managed.address.grpc

    def states():
        index = grpcclient.InferenceServerClient(address).get_model_repository_index(as_json=True)
        return {model["name"]: model.get("state") == "READY" for model in index["models"]}

    assert run("unload", "demo", server=address).stdout == b"demo: unloaded\n"
    assert not any(ready for name, ready in states().items() if name.startswith("demo"))
    assert all(ready for name, ready in states().items() if not name.startswith("demo")), "what voices share stays"
    (voice,) = json.loads(run("voices", "--json", server=address).stdout)["voices"]
    assert (voice["name"], voice["state"], voice["reason"]) == ("demo", "unloaded", "")
    assert run("load", "demo", server=address).stdout == b"demo: ready, fastspeech2, 24000 Hz\n"
    assert all(states().values())
    assert run("synth", SENTENCE, "-o", "out.wav", server=address).returncode == 0


@pytest.mark.parametrize("command", ["load", "unload"])
@pytest.mark.parametrize("name", ["tts", "text_frontend", "demo_encoder", "nobody"])
def test_what_is_no_voice_is_neither_loaded_nor_unloaded(run, managed, command, name):
    result = run(command, name, server=managed.address.grpc)
    assert result.returncode == 2
    assert result.stderr.decode().startswith("error: ")
    assert result.stderr.count(b"\n") == 1
    assert run("synth", "你好。", "-o", "out.wav", server=managed.address.grpc).returncode == 0


def test_a_server_that_does_not_load_while_it_runs_says_so_in_one_line(run, repository):
    with TritonServer(ServerOptions(repository, control="none")) as fixed:
        result = run("unload", "demo", server=fixed.address.grpc)
    assert result.returncode == 1
    assert result.stderr.count(b"\n") == 1
    assert b"start it with --model-control-mode=explicit" in result.stderr


def test_health_is_good_only_when_a_synthesis_works(run):
    result = run("health", "--json")
    assert result.returncode == 0
    assert json.loads(result.stdout)["healthy"] is True


WRONG = [
    (["synth", "", "-o", "out.wav"], None),
    (["synth", "   ", "-o", "out.wav"], None),
    (["synth", "，。！", "-o", "out.wav"], None),
    (["synth", "😀", "-o", "out.wav"], None),
    (["synth", "\x07\x1b", "-o", "out.wav"], None),
    (["synth", "-", "-o", "out.wav"], b"\xe4\xbd\xa0\xff"),
    (["synth", "-", "-o", "out.wav"], ("你" * 100_000).encode()),
    (["synth", SENTENCE, "-o", "out.wav", "--voice", "nobody"], None),
    (["synth", SENTENCE, "-o", "out.wav", "--speed", "0"], None),
    (["synth", SENTENCE, "-o", "out.wav", "--speed", "nan"], None),
    (["synth", SENTENCE, "-o", "missing/out.wav"], None),
    (["synth", SENTENCE, "-o", "out.xyz"], None),
    (["synth", "--file", "missing.txt", "-o", "out.wav"], None),
]


@pytest.mark.parametrize(("arguments", "stdin"), WRONG, ids=[" ".join(case[0])[:40] for case in WRONG])
def test_a_wrong_request_is_one_line_and_exit_code_2(run, tmp_path, arguments, stdin):
    result = run(*arguments, stdin=stdin)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == 2, lines
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert not list(tmp_path.iterdir()), "nothing is left behind"


@pytest.mark.parametrize("kind", ["dead", "nonsense", "unknown"])
def test_no_server_is_one_line_and_exit_code_1(run, tmp_path, kind):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        dead = f"127.0.0.1:{taken.getsockname()[1]}"
        address = {"dead": dead, "nonsense": "nonsense:abc", "unknown": "no.such.host.invalid:8001"}[kind]
        begin = time.monotonic()
        result = run("synth", SENTENCE, "-o", "out.wav", server=address)
    lines = result.stderr.decode().splitlines()
    assert result.returncode == (2 if kind == "nonsense" else 1), lines
    assert len(lines) == 1
    assert time.monotonic() - begin < 30
    assert not list(tmp_path.iterdir())


def test_health_of_a_dead_server_exits_with_1(run):
    assert run("health", server="127.0.0.1:1").returncode == 1
