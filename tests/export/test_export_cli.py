"""`python -m export`: one line, an exit code, and nothing half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from export import graph_files
from export.graph_files import write_atomically


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "export", *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False
    )


def verify(data, *options):
    checkpoint = data / "vocoders" / "melgan"
    reference = next(checkpoint.glob("reference_*.npz"))
    return run("verify", "melgan", "--checkpoint", checkpoint, "--reference", reference, *options)


def test_verify_prints_one_json_object_and_exits_with_1_past_the_tolerance(data):
    result = verify(data, "--tolerance", 1e-9, "--json")
    assert result.returncode == 1, result.stderr
    content = json.loads(result.stdout)
    assert content["passed"] is False
    assert not all(row["passed"] for row in content["rows"])
    assert all(row["onnx_error"] <= 5e-4 for row in content["rows"])


def test_verify_compares_a_precision_with_the_reference_and_with_float32(data):
    result = verify(data, "--precision", "fp16", "--json")
    content = json.loads(result.stdout)
    assert (result.returncode, content["passed"], content["precision"]) == (0, True, "fp16")
    for row in content["rows"]:
        assert row["module_error"] < 1e-4 < row["onnx_error"] <= row["tolerance"]
        assert row["signal_to_noise_db"] > 35
    (loss,) = content["losses"].values()
    assert loss["signal_to_noise_db"] >= loss["least_signal_to_noise_db"]
    table = verify(data, "--precision", "fp16", "--tolerance", 1e-6)
    assert table.returncode == 1
    assert "FAILED" in table.stdout
    assert "fp16 against the float32 graph" in table.stdout


def test_a_missing_checkpoint_is_one_line_and_exit_code_1(tmp_path):
    result = run("voice", "fastspeech2", "--name", "x", "--checkpoint", tmp_path / "no", "--repository", tmp_path / "r")
    assert result.returncode == 1
    assert [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "r").exists()


def test_configs_out_of_step_are_named(tmp_path, repository):
    shutil.copytree(repository, tmp_path / "r", ignore=shutil.ignore_patterns("*.onnx"))
    (tmp_path / "r" / "aligner" / "config.pbtxt").write_text("name: 'other'")
    result = run("configs", "--check", "--repository", tmp_path / "r")
    assert result.returncode == 1
    assert "aligner/config.pbtxt" in result.stderr
    assert run("configs", "--repository", tmp_path / "r").returncode == 0
    assert run("configs", "--check", "--repository", tmp_path / "r").returncode == 0


def test_a_file_is_whole_or_not_there(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(graph_files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
