"""The images install and copy what is there and what their commands need, and plans are built by one that exists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import image_packages
import pytest
from packaging.utils import canonicalize_name
from server_commands import DOCKER, ROOT, VENV, checked, context, parsed, variables

SERVER = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
SLIM = (DOCKER / "slim.Dockerfile").read_text(encoding="utf-8")

# Does what the real one would, without a container: runs the command that comes after the image's name.
FAKE_DOCKER = f"""#!/usr/bin/env bash
if [ "$1" = build ]; then exit; fi
echo "$@" > "$(dirname "$0")/arguments"
while [ "$1" != tts-server ]; do shift; done
exec {sys.executable} -m "${{@:2}}"
"""

# Imports modules and asks commands for their help where only the standard library, the named packages and what lies in
# the working folder can be imported.
ONLY = """
import contextlib, importlib, importlib.metadata, io, json, os, runpy, sys

allowed, modules, commands = json.loads(sys.argv[1])
owners = importlib.metadata.packages_distributions()

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        top = name.partition(".")[0]
        found = {owner.lower().replace("_", "-") for owner in owners.get(top, ())}
        if found and not found & set(allowed) and not os.path.exists(top):
            raise ModuleNotFoundError(f"{top} is not in this image", name=top)

sys.path.insert(0, "")
sys.meta_path.insert(0, Missing)
for module in modules:
    importlib.import_module(module)
for command in commands:
    sys.argv = ["python", *command.split()[1:], "--help"]
    try:
        with contextlib.redirect_stdout(io.StringIO()) as said:
            runpy.run_module(command.split()[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, f"{command}: {end.code}"
    assert "Usage: " in said.getvalue(), said.getvalue()
"""


def stage(dockerfile: str, name: str) -> str:
    """The lines of one stage."""
    return re.split(r"^FROM .*$", dockerfile.partition(f" AS {name}\n")[2], flags=re.MULTILINE)[0]


def copies(lines: str) -> dict[str, str]:
    """What is copied from the checkout, and to where."""
    found = {}
    for line in re.findall(r"^COPY (?!--from)(.*)$", lines, re.MULTILINE):
        *sources, target = line.split()
        found |= {source: target for source in sources}
    return found


def extras(lines: str) -> list[str]:
    return [extra for names in re.findall(r'"\.\[([\w,]+)\]"', lines) for extra in names.split(",")]


@pytest.mark.parametrize("name", ["Dockerfile", "slim.Dockerfile"])
def test_the_linter_has_nothing_to_say(name):
    checked(VENV / "hadolint", "--no-color", DOCKER / name)


@pytest.mark.parametrize("lines", [SERVER, SLIM], ids=["server", "slim"])
def test_what_an_image_copies_is_there_and_reaches_the_builder(lines, tmp_path):
    seen = context(tmp_path)
    copied = copies(lines)
    assert {"client", "server", "pyproject.toml"} <= set(copied)
    assert all((seen / source).exists() for source in copied), sorted(copied)


def test_nothing_that_is_secret_or_large_reaches_the_builder(tmp_path):
    seen = context(tmp_path)
    assert not [path for path in seen.rglob("*") if path.suffix in {".onnx", ".plan", ".key", ".crt"}]
    assert not [path for path in seen.rglob("*") if path.name in {"dictionary.json", ".env", ".git", "__pycache__"}]
    assert sum(path.stat().st_size for path in seen.rglob("*") if path.is_file()) < 32 << 20


@dataclass(frozen=True)
class Image:
    """The stage that copies, the one that installs, and what runs."""

    copying: str
    installing: str
    commands: tuple[str, ...]
    modules: tuple[str, ...] = ()


IMAGES = {
    "server": Image(SERVER, SERVER, ("server serve", "export engines", "client health")),
    "client": Image(stage(SLIM, "client"), stage(SLIM, "client-packages"), ("client synth", "client health")),
    "gateway": Image(
        stage(SLIM, "gateway"), stage(SLIM, "gateway-packages"), ("server gateway",), ("server.gateway.listener",)
    ),
    "export": Image(
        stage(SLIM, "export"), stage(SLIM, "export-packages"), ("export shared", "export fetch", "export voice")
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_has_all_that_its_commands_import(name, tmp_path):
    image, seen, root = IMAGES[name], context(tmp_path / "context"), tmp_path / "root"
    for source, target in copies(image.copying).items():
        place = root / target / Path(source).name if target == "./" else root / target
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(seen / source)
    allowed = {*image_packages.closure(*extras(image.installing)), "onnxruntime"}
    asked = json.dumps([sorted(allowed), image.modules, image.commands])
    result = subprocess.run([sys.executable, "-c", ONLY, asked], cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-3000:]


def test_the_server_has_what_the_python_models_import_and_no_other_triton():
    names = set(image_packages.closure(*extras(SERVER)))
    assert {
        "jieba",
        "kaldi-native-fbank",
        "opencc",
        "pypinyin",
        "soxr",
        "tokenizers",
        "psutil",
        "nvidia-ml-py",
    } <= names
    assert "onnxruntime-gpu" in names
    assert not names & {"nvidia-pytriton", "onnxruntime", "torch"}


def test_the_versions_are_pinned_and_within_what_the_project_asks_for():
    lines = [line for line in (DOCKER / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = dict(line.split("==") for line in lines)
    needed = set()
    for requirement in image_packages.requirements(*image_packages.EXTRAS):
        name = canonicalize_name(requirement.name)
        if name not in image_packages.NOT_PINNED:
            needed.add(name)
            assert pinned[name] in requirement.specifier, requirement
    assert len(needed) > 20


def test_the_image_has_every_backend_that_triton_does_not_bring():
    (copied,) = re.findall(r"cp --recursive --dereference (.*) /opt/tritonserver/backends/", SERVER)
    ours = {path.parent.name for path in (ROOT / "backends").glob("*/model.py")}
    assert {Path(path).name for path in copied.split()} == ours - {"onnxruntime"}


@pytest.mark.parametrize("lines", [SERVER, *(stage(SLIM, name) for name in ("client", "gateway", "export"))])
def test_nobody_is_root_and_nothing_is_written_beside_the_code(lines):
    users = re.findall(r"^USER (.*)$", lines, re.MULTILINE)
    assert users == ["1000:1000"]  # a number: Kubernetes cannot tell whether a name is root
    assert "PYTHONDONTWRITEBYTECODE=1" in (SERVER if lines is SERVER else SLIM)


def test_one_variable_names_the_version_of_triton():
    assert re.findall(r"^ARG TRITON=(.*)$", SERVER, re.MULTILINE) == ["26.06"]
    assert re.findall(r"^FROM (.*)$", SERVER, re.MULTILINE) == ["${IMAGE}"]
    assert "TRITON=26.06\n" in (DOCKER / ".env.example").read_text()


def entry(lines: str) -> list[str]:
    """What a container of an image runs."""
    words = []
    for name in ("ENTRYPOINT", "CMD"):
        found = re.findall(rf"^{name} (\[.*\])$", lines, re.MULTILINE)
        words += json.loads(found[-1]) if found else []
    return words


def test_what_a_container_runs_is_a_command_with_options_that_it_has():
    assert entry(SERVER) == ["python3", "-m", "server", "serve"]
    given = dict(
        pair.split("=", 1) for line in re.findall(r"^ENV (TTS_.*)$", SERVER, re.MULTILINE) for pair in line.split()
    )
    assert set(given) <= variables("server serve") | variables("client health")
    assert parsed("server serve", [], given)["host"] == "0.0.0.0"
    python, module, name, *arguments = entry(stage(SLIM, "gateway"))
    assert (python, module, name) == ("python3", "-m", "server")
    assert parsed("server gateway", arguments[1:], {})["server"] == "server:8001"


def test_the_health_check_of_the_server_is_a_real_synthesis():
    (check,) = re.findall(r"^HEALTHCHECK .*\n\s+CMD (\[.*\])$", SERVER, re.MULTILINE)
    python, flag, module, name, *arguments = json.loads(check)
    assert (python, flag) == ("python3", "-m")
    assert parsed(f"{module} {name}", arguments, {})["seconds"] < 30


def test_plans_are_built_in_the_image_by_the_command_line_of_the_exporter(tmp_path):
    tool = tmp_path / "docker"
    tool.write_text(FAKE_DOCKER)
    tool.chmod(0o755)
    repository = tmp_path / "models"
    repository.mkdir()
    result = subprocess.run(
        [DOCKER / "build-engines", "demo", "--profile", "h100", "--level", "5"],
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
