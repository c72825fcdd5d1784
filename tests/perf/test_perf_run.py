"""The load test against a real server, with a handful of requests, and without one."""

from __future__ import annotations

import csv
import socket
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from perf import run, tool
from perf.recipes import RECIPES


@pytest.fixture
def program():
    """The real perf_analyzer, fetched where it is not at hand."""
    return tool.find(run.ROOT / ".cache")


def test_the_ensemble_the_router_and_a_stage_in_shared_memory_are_measured(tmp_path, service, program, capsys):
    rate = replace(RECIPES["rate"], levels=(20.0,))
    stage = replace(RECIPES["shared-memory"], loads=lambda *_: RECIPES["shared-memory"].loads(2, ())[-1:])
    few = [RECIPES["latency"], rate, stage]
    run.run(few, service.address.grpc, tmp_path, requests=2)
    with (tmp_path / "summary.csv").open(encoding="utf-8", newline="") as stream:
        ensemble, router, rate, stage = csv.DictReader(stream)
    for row in (ensemble, router, rate):
        assert row["requests"] == "2"
        assert float(row["audio_seconds_per_second"]) > 0
    assert ensemble["first_p50_ms"] == ensemble["p50_ms"]
    assert float(router["first_p50_ms"]) < float(router["p50_ms"])
    assert (stage["model"], stage["batch"], stage["shared_memory"]) == ("demo_melgan", "4", "system")
    assert (tmp_path / "summary.png").is_file()
    assert "| tts | 1 client |" in capsys.readouterr().out


def test_without_a_server_one_line_says_what_to_start(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        done = CliRunner().invoke(run.app, ["latency", "--server", address, "--out", str(tmp_path)])
    assert done.exit_code == 1
    assert (
        done.stderr
        == f"error: no server answers at {address}: start one with scripts/serve, or name one with --server\n"
    )


def test_a_model_that_is_not_ready_is_named(service):
    with pytest.raises(tool.PerfError, match="has no model nobody ready"):
        run.check(service.address.grpc, ["demo", "nobody"])


def test_what_the_program_refuses_is_one_line(service, program):
    with pytest.raises(tool.PerfError, match="perf_analyzer failed: error: failed to get model metadata") as error:
        program.run(["-m", "nobody", "-u", service.address.grpc, "-i", "grpc"])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("levels", ["", "1,,2", "0", "-1", "many"])
def test_levels_are_numbers_above_nothing(levels):
    done = CliRunner().invoke(run.app, ["rate", f"--levels={levels}"])
    assert done.exit_code == 2
    assert "numbers above 0" in " ".join(done.stderr.split())
