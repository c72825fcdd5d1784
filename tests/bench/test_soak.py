"""A soak tells what did not end as it had to, and nothing else."""

from __future__ import annotations

import random

import numpy as np
import pytest

from bench import report, soak_report, workload
from bench.soak import Run, Sample, soak
from bench.tally import MOST_TOLD, Tally
from bench.workload import Done, Worker, Wrong
from client import InvalidRequest, Notice, ServiceUnavailable, Speech, VoiceNotFound


def speech(samples, notices=()):
    return Speech(np.array(samples, np.int16), 24000, (), notices, "demo", "balanced", 0.1, 0.2)


class Fake:
    """Answers every request in the same way."""

    def __init__(self, answer):
        self._answer = answer

    def synthesize(self, text, **options):
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def worker(answer, tmp_path):
    return Worker(Fake(answer), random.Random(1), tmp_path, ("gentle",))


def sample(seconds, tree):
    return Sample(seconds, tree, 40.0, 9, 400, 120, 0, 1.0, 1, 0, {})


def test_the_mix_adds_up_to_a_hundred():
    assert sum(weight for weight, _ in workload.MIX.values()) == 100


@pytest.mark.parametrize("kind", [workload.short, workload.long, workload.styled])
def test_speech_is_what_it_takes(kind, tmp_path):
    notices = (Notice("clamped", "speed", "too fast"),)
    assert kind(worker(speech([0, 9000], notices), tmp_path)) == Done("ok", 2 / 24000, ("clamped",))
    with pytest.raises(Wrong, match="silence"):
        kind(worker(speech([0, 3]), tmp_path))
    with pytest.raises(Wrong, match="silence"):
        kind(worker(speech([]), tmp_path))


def test_a_lost_mark_is_told(tmp_path):
    with pytest.raises(Wrong, match="a and b came back as none"):
        workload.marked(worker(speech([9000]), tmp_path))


def test_a_wrong_request_has_to_be_refused(tmp_path):
    asking = worker(VoiceNotFound("no such voice"), tmp_path)
    assert {workload.wrong(asking).outcome for _ in range(20)} == {"refused"}
    with pytest.raises(Wrong, match="was spoken"):
        workload.wrong(worker(speech([9000]), tmp_path))
    with pytest.raises(ServiceUnavailable):
        workload.wrong(worker(ServiceUnavailable("overloaded"), tmp_path))


def test_every_unexpected_end_is_counted_and_the_first_are_told():
    tally = Tally()
    tally.add("short", 0.5, Done("ok", 2.0, ("style",)))
    for count in range(MOST_TOLD + 5):
        tally.fail("short", count, InvalidRequest("no"))
    assert tally.failures == MOST_TOLD + 5
    assert len(tally.unexpected) == MOST_TOLD
    assert tally.outcomes() == {"short": {"ok": 1, "InvalidRequest": MOST_TOLD + 5}}
    assert tally.notices() == {"style": 1}
    assert tally.audio == 2.0


def test_memory_growth_is_that_of_the_second_half():
    samples = [
        sample(float(each), 500.0 + (each if each < 600 else 600 + (each - 600) / 360)) for each in range(0, 1200, 10)
    ]
    growth = soak_report.slope(samples, 600.0)
    assert growth.slope == pytest.approx(10.0, rel=0.01)
    assert soak_report.slope([sample(0.0, None)] * 9, 0.0) is None


def test_a_run_is_sound_when_all_ended_well_on_one_server():
    run = Run(60.0, 8, [sample(0.0, 500.0), sample(60.0, 501.0)], servers=[7])
    assert not soak_report.sound(run), "nothing was done"
    run.tally.add("short", 0.5, Done("ok"))
    assert soak_report.sound(run)
    run.servers.append(8)
    assert run.restarts == 1
    assert not soak_report.sound(run)
    run.servers.pop()
    run.said.append("watch: restarted the server in 2.0 s: the process of tts is gone")
    assert run.restarts == 1
    assert not soak_report.sound(run)
    run.said.clear()
    run.tally.fail("batch", 3.0, Wrong("lost"))
    assert not soak_report.sound(run)
    assert "Wrong: lost" in soak_report.show(run)


def test_a_short_soak_of_the_real_service_is_sound(repository, tmp_path):
    run = soak(repository, minutes=0.05, clients=2)
    assert not run.tally.failures, run.tally.unexpected
    assert run.restarts == 0
    assert run.tally.requests
    assert run.counted.requests["ok"]
    assert all(sample.tree_mib and sample.launcher_mib and sample.files for sample in run.samples)
    assert soak_report.show(run)
    report.write(tmp_path / "soak.json", soak_report.content(run))
    found = report.read(tmp_path / "soak.json")
    assert found["sound"] is True
    assert len(found["samples"]["seconds"]) == len(run.samples)
