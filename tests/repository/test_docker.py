"""The image for GPUs installs and copies what is there, and plans are built in it by a command that exists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text(encoding="utf-8")

# Does what the real one would, without a container: runs the command that comes after the image's name.
DOCKER = f"""#!/usr/bin/env bash
if [ "$1" = build ]; then exit; fi
echo "$@" > "$(dirname "$0")/arguments"
while [ "$1" != tts-triton ]; do shift; done
exec {sys.executable} "${{@:3}}"
"""


def test_what_the_image_copies_is_there_and_not_ignored():
    copied = [word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert {"client", "export", "server", "pyproject.toml"} <= set(copied)
    assert all((ROOT / path).exists() for path in copied)
    kept = (ROOT / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    assert {f"!{path}" for path in copied} <= set(kept)


def test_the_image_installs_what_the_python_models_import_and_no_other_triton():
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    marks = [f'extra == "{extra}"' for extra in extras.split(",")]
    required = [line for line in metadata.requires("sculptor-triton") if any(mark in line for mark in marks)]
    names = {re.split(r"[^\w-]", line)[0] for line in required}
    assert {"jieba", "opencc", "pypinyin", "soxr", "psutil", "nvidia-ml-py", "onnxruntime-gpu"} <= names
    assert not names & {"nvidia-pytriton", "onnxruntime", "torch"}


def test_the_image_has_every_backend_that_triton_does_not_bring():
    (copied,) = re.findall(r"^RUN cp (?:--\S+ )*(.*) /opt/tritonserver/backends/$", DOCKERFILE, re.MULTILINE)
    ours = {path.parent.name for path in (ROOT / "backends").glob("*/model.py")}
    assert {Path(path).name for path in copied.split()} == ours - {"onnxruntime"}


def test_plans_are_built_in_the_image_by_the_command_line_of_the_exporter(tmp_path):
    tool = tmp_path / "docker"
    tool.write_text(DOCKER)
    tool.chmod(0o755)
    repository = tmp_path / "models"
    repository.mkdir()
    result = subprocess.run(
        [ROOT / "docker" / "build-engines", "demo", "--profile", "h100", "--level", "5"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "REPOSITORY": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    # Past all of its arguments, to the first thing that is only in the image.
    assert result.stderr == "error: /models does not exist\n"
    arguments = (tmp_path / "arguments").read_text()
    assert f"--volume {repository}:/models" in arguments
    assert "--gpus all" in arguments
