"""Every command of the documentation is right, and is run by a test: here, or by the one that `run_by` names."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer
from docs.documented import PAGES, ROOT, Command, blocks, commands, examples
from docs.run_by import HERE, NOT_RUN, RUN_BY

from client.cli import main

# What is behind a program of ours: a typer application, or a function of one.
PROGRAMS = {
    "python -m client": ("client.cli._main", "build"),
    "python -m export": ("export.cli", "app"),
    "python -m server": ("server.cli", "app"),
    "scripts/serve": ("server.cli", "app"),
    "scripts/gateway": ("server.cli", "app"),
    "scripts/certificates": ("server.cli", "app"),
    "scripts/perf": ("perf.run", "app"),
    "scripts/bench": ("bench.run", "app"),
}
# What a script puts in front of its arguments.
LEADING = {"scripts/serve": ["serve"], "scripts/gateway": ["gateway"], "scripts/certificates": ["certificates"]}


def program(command: Command) -> str | None:
    """The longest name of a program of ours that a command begins with."""
    fitting = [name for name in PROGRAMS if f"{command.line} ".startswith(f"{name} ")]
    return max(fitting, key=len, default=None)


def arguments(command: Command, name: str) -> list[str]:
    """A command's arguments, up to a shell's operator."""
    words = command.words[len(name.split()) :]
    ends = [index for index, word in enumerate(words) if set(word) <= set("|&;<>")]
    return [*LEADING.get(name, []), *words[: ends[0] if ends else len(words)]]


OURS = [command for command in commands() if program(command)]


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_has_the_arguments_that_its_program_takes(command):
    name = program(command)
    module, attribute = PROGRAMS[name]
    made = getattr(importlib.import_module(module), attribute)
    application = typer.main.get_command(made() if attribute == "build" else made)
    words = arguments(command, name)
    context = application.make_context(name, list(words))
    while hasattr(context.command, "resolve_command"):
        rest = [*context._protected_args, *context.args]
        if not rest:  # a group that is a command itself
            return
        found, sub, rest = context.command.resolve_command(context, rest)
        context = sub.make_context(found, rest, parent=context)


@pytest.mark.parametrize("command", commands(), ids=str)
def test_a_command_is_run_by_a_test(command):
    test = next((test for pattern, test in RUN_BY if re.match(pattern, command.line)), None)
    excused = next((reason for pattern, reason in NOT_RUN if re.match(pattern, command.line)), None)
    assert test or excused, "add it to RUN_BY, with the test that runs it"
    if test and test != HERE:
        file, _, name = test.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / "tests" / file).read_text("utf-8"), re.MULTILINE), (
            f"there is no {test}"
        )


RUN_HERE = [c for c in OURS if next((t for p, t in RUN_BY if re.match(p, c.line)), None) == HERE]


@pytest.mark.parametrize("command", RUN_HERE, ids=str)
def test_a_command_of_the_client_works(command, service, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    for file in ("chapter.txt", "book.txt"):
        Path(file).write_text("从前有一座山。山里有一座庙。", encoding="utf-8")
    Path("lines.jsonl").write_text('{"id": "one", "text": "你好。"}\n', encoding="utf-8")
    given = arguments(command, "python -m client")
    if given[0] == "metrics":
        given += ["--metrics", service.address.metrics]
    code = main([*given, "--server", service.address.grpc])
    assert (code, capsys.readouterr().err) == (0, "")
    for option in ("-o", "--srt"):
        if option in given:
            assert Path(given[given.index(option) + 1]).stat().st_size > 0


@pytest.mark.parametrize(("page", "code"), examples(), ids=[page for page, _ in examples()])
def test_an_example_in_python_works(page, code, service, tmp_path, monkeypatch, repository):
    """With this server's address for Triton's usual one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model_repository").symlink_to(repository)
    played = []
    names = {"play": lambda samples, rate: played.append(samples)}
    exec("from client import Synthesizer", names)
    exec(code.replace("127.0.0.1:8001", service.address.grpc), names)
    assert played or "play(" not in code


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_stand_in_shell_blocks_where_they_are_found(page):
    others = [block for language in ("", "console", "text") for block in blocks(page, language)]
    assert [block for block in others if re.search(r"^(\.venv/|curl |docker |python -m |scripts/)", block, re.M)] == []


def test_shell_words_are_read_as_a_shell_reads_them():
    assert Command("page", "python -m client synth '你 好' -o - | ffmpeg -i -").words[3:6] == ["synth", "你 好", "-o"]
