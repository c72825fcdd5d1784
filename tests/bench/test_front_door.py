"""The benchmark of the front door: its parts, its file, and what it says without a voice's fast vocoder."""

from __future__ import annotations

import json

import pytest
import typer
from service.own_server import Copy

from bench import front_door, overload, sections, vocoders
from bench.first_audio import in_turns
from bench.offer import Asked, closed_loop, open_loop
from bench.processes import forget_peaks, memory, process, total
from bench.setting import Section, Setting, Skipped
from bench.ways import heard, listen
from client import Synthesizer
from server import ServerOptions, TritonServer

TEXTS = ("你好。", "再见。")


@pytest.fixture
def measured(tmp_path, monkeypatch, capsys):
    """Runs sections that measure nothing real; gives whether all went well, the file and what was printed."""
    monkeypatch.setattr(sections, "busy_cores", lambda: 0.0)

    def run(**measures):
        chosen = [Section(name, name.title(), measure, str) for name, measure in measures.items()]
        well = sections.run(front_door.COMMAND, chosen, Setting(tmp_path), tmp_path / "report.json")
        return well, json.loads((tmp_path / "report.json").read_text("utf-8")), capsys.readouterr().out

    return run


def test_a_section_that_fails_or_has_nothing_to_measure_does_not_keep_the_others_from_it(measured):
    def skipped(setting):
        raise Skipped("there is no such stage")

    def failed(setting):
        raise ValueError("too bad")

    well, file, printed = measured(first=skipped, second=failed, third=lambda setting: [1.23456])
    assert not well
    assert file["sections"]["first"]["skipped"] == "there is no such stage"
    assert file["sections"]["second"]["failed"] == "ValueError: too bad"
    assert file["sections"]["third"]["result"] == [1.235]
    assert "Skipped: there is no such stage." in printed
    assert "## Third\n\n[1.23456]" in printed


def test_sections_that_are_not_run_keep_what_the_file_says_of_them(measured):
    measured(first=lambda setting: 1, second=lambda setting: 1)
    well, file, _ = measured(second=lambda setting: 2)
    assert well
    assert [file["sections"][name]["result"] for name in ("first", "second")] == [1, 2]


def test_a_section_is_chosen_by_its_name():
    assert [section.name for section in sections.chosen(front_door.SECTIONS, ["long-text", "overload"])] == [
        "long_text",
        "overload",
    ]
    assert len(sections.chosen(front_door.SECTIONS, [])) == len(front_door.SECTIONS)
    with pytest.raises(typer.BadParameter, match="'speed': use first-audio, "):
        sections.chosen(front_door.SECTIONS, ["speed"])


def test_a_voice_without_a_fast_vocoder_is_no_failure(tmp_path):
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "voice.json").write_text('{"qualities": {"balanced": "melgan"}}')
    with pytest.raises(Skipped, match="the voice demo has no quality fast"):
        vocoders.measure(Setting(tmp_path))


def test_ways_take_turns_with_the_same_texts():
    asked = []

    def way(name):
        def speak(text):
            asked.append((name, text))
            return heard([1.0], [1.0])

        return speak

    answers = in_turns([way("a"), way("b")], ("x", "y", "z"), clients=1, samples=6)
    assert [len(each) for each in answers] == [6, 6]
    assert [text for name, text in asked if name == "a"] == [text for name, text in asked if name == "b"]
    assert [name for name, _ in asked] == ["b", "b", "a", "a", "a", "a", "b", "b", "b", "b", "a", "a"]


def test_rates_are_those_of_the_window():
    answers = [Asked(due, due, due + 0.5, "OK", "", 100) for due in (0.0, 1.0, 2.0, 3.0, 9.8)]
    refusal = Asked(2.5, 2.6, 2.601, "UNAVAILABLE", "overloaded: 2 requests run and 3 wait; retry after 1 s", 0)
    found = overload.load([*answers, refusal], (1.0, 11.0), 0.5, 0)
    assert found.answered_per_second == pytest.approx(0.4)
    assert found.offered_per_second == pytest.approx(0.5)
    assert found.refusal_seconds.most == pytest.approx(0.001)
    assert found.late_sending_seconds.most == pytest.approx(0.1)
    assert found.outcomes == {
        "OK": 5,
        "UNAVAILABLE: overloaded: N requests run and N wait; retry after N s": 1,
    }


def test_more_than_the_front_door_takes_is_refused_and_the_rest_is_spoken(repository, tmp_path):
    copy = Copy(repository, tmp_path / "models")
    copy.configure({"max_in_flight": 1, "max_waiting": 2, "queue_wait_seconds": 0})
    with TritonServer(ServerOptions(copy.folder)) as server:
        calm = closed_loop(server.address.grpc, TEXTS, clients=1, seconds=0.5)
        storm = open_loop(server.address.grpc, TEXTS, rate=60.0, seconds=1.0, limit=60.0)
    assert {each.status for each in calm} == {"OK"}
    assert all(each.samples for each in calm)
    assert len(storm) == 60
    assert {each.status for each in storm} == {"OK", "UNAVAILABLE"}
    assert all(bool(each.samples) == (each.status == "OK") for each in storm)
    assert all(each.ended >= each.sent >= each.due for each in storm)


def test_a_stream_has_its_first_audio_before_its_last(service):
    with Synthesizer(service.address.grpc) as synthesizer:
        found = listen(synthesizer, "人工智能正在改变我们的生活方式，也带来了新的挑战和机会。")
    assert 0 < found.first < found.last
    assert len(found.lengths) > 1
    assert sum(found.lengths) == pytest.approx(found.audio)


def test_memory_is_that_of_each_process_of_the_server(service):
    rows = memory(service.pid)
    assert {"tritonserver", "tts_0_0", "demo_encoder_0_0"} <= {row.process for row in rows}
    assert all(0 < row.pss_mib <= row.rss_mib <= row.peak_mib for row in rows)
    assert total(rows) == pytest.approx(sum(row.pss_mib for row in rows))
    assert total([]) is None


def test_peaks_can_be_forgotten(service):
    assert forget_peaks(service.pid)
    server = process(service.pid)
    assert server.peak_mib < server.rss_mib + 50
    assert process(2**22 + 1) is None
