"""Every command of the documentation is right, and is run by a test: here, or by the one that is named here."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import typer
from docs.documented import ROOT, Command, commands, examples

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

SPEAKS = "tests/service/test_command_line.py::test_a_sentence_becomes_a_file_of_the_kind_its_name_ends_with"
SAMBERT = "tests/service/test_sambert.py::test_the_command_line_speaks_with_an_emotion"
SCULPTOR = "tests/service/test_sculptor.py::test_the_command_line_designs_a_voice"
SERVES = "tests/server/test_server_command.py::test_a_signal_stops_the_server_with_exit_code_0"
ATTACHES = "tests/export/test_attach.py::test_the_command_says_what_the_voice_has_now"
VERIFIES = "tests/export/test_export_cli.py::test_verify_prints_one_json_object_and_exits_with_1_past_the_tolerance"
SECURED = "tests/service/test_secured.py"
SECURED = "tests/service/test_secured.py::test_the_commands_of_the_documentation_speak_and_list"
HERE = "here"
# The first pattern that a command matches names the test that runs it, or one like it.
RUN_BY: tuple[tuple[str, str], ...] = (
    (r"python -m client .*--play", "tests/client/test_client_player.py::test_the_finished_audio_is_played"),
    (r"python -m client .*\| ffmpeg", "tests/client/test_client_process.py::test_a_pipe_gets_wav_as_it_comes"),
    (r"python -m client .*--certificate", SECURED),
    (r"python -m client ((un)?load|.*--voice) zhitian", SAMBERT),
    (r"python -m client .*--voice sculptor", SCULPTOR),
    (r"python -m client .*--ca ", f"{SECURED}::test_the_commands_of_the_documentation_speak_and_list"),
    (r"python -m client ", HERE),
    (r"scripts/demo ", SPEAKS),
    (
        r"scripts/gateway .*--ca ",
        f"{SECURED}::test_the_gateway_of_the_documentation_speaks_by_https_to_who_has_a_token",
    ),
    (
        r"scripts/certificates ",
        "tests/server/test_security_certificates.py::test_files_that_are_there_are_replaced_only_when_told_to",
    ),
    (r"scripts/serve --host", "tests/service/test_secured.py::secured"),
    (r"scripts/serve --trace", "tests/monitoring/test_one_trace.py::traced"),
    (r"scripts/serve", SERVES),
    (
        r"scripts/gateway --server",
        "tests/service/test_secured.py::test_the_gateway_of_the_documentation_speaks_by_https_to_who_has_a_token",
    ),
    (r"scripts/gateway", "tests/gateway/conftest.py::gateway"),
    (
        r"scripts/certificates",
        "tests/server/test_security_certificates.py::test_the_made_files_serve_and_are_accepted_and_the_keys_are_the_owners_alone",
    ),
    (r"scripts/bench capacity", "tests/bench/test_capacity.py::test_the_page_has_the_tables_that_the_command_makes"),
    (r"curl .*/v1/", "tests/gateway/test_documented.py::test_a_call_of_the_page_is_answered"),
    (r"\.venv/bin/pdoc ", "tests/docs/test_reference.py::test_the_reference_is_made_by_its_command"),
    (
        r"(mv|rm -r) .*zhitian",
        "tests/service/test_sambert.py::test_a_voice_is_taken_away_and_brought_back_while_the_server_runs",
    ),
    (r"docker compose ", "tests/docker/test_compose.py::test_every_combination_of_the_files_is_valid"),
    (
        r"scripts/perf ",
        "tests/perf/test_perf_run.py::test_the_ensemble_the_router_and_a_stage_in_shared_memory_are_measured",
    ),
    (r"scripts/bench gpu", "tests/bench/gpu/test_gpu_sections.py::test_every_section_has_a_result"),
    (
        r"scripts/distill_hifigan",
        "tests/export/test_distill.py::test_a_run_leaves_a_generator_its_config_and_where_it_comes_from",
    ),
    (r"python -m export vocoder ", ATTACHES),
    (r"python -m export verify ", VERIFIES),
    (r"python -m export voice sculptor", "tests/conftest.py::sculptor"),
    (r"python -m export voice sambert", "tests/service/test_sambert.py::front"),
    (
        r"python -m export untrained sambert",
        "tests/export/test_sambert_untrained.py::test_the_command_says_where_the_checkpoint_is",
    ),
    (r"python -m export untrained sculptor", "tests/conftest.py::sculptor"),
)
# What no test can run, and why.
NOT_RUN: tuple[tuple[str, str], ...] = (
    (r"scripts/(test|setup)$", "it is what runs the tests"),
    (r"python -m export voice fastspeech2", "scripts/setup has run it before the tests"),
    (r"(docker/build-engines|python -m export engines) ", "needs TensorRT and a GPU"),
    (r"\.venv/bin/pip ", "changes the packages of the machine"),
    (r"LD_LIBRARY_PATH=\S+ \S+perf_analyzer ", "is what scripts/perf runs"),
    (r"modelscope |git (lfs|clone) |mkdir ", "downloads what belongs to others"),
    (r"python -m export\.style\.train", "a quarter of an hour"),
    (r'python -c "', "converts a file that others have made"),
    (r"cp -r ", "a program of the system"),
    (r"scripts/quality ", "half a gigabyte of packages, and ten minutes"),
)


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
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), (
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


def test_shell_words_are_read_as_a_shell_reads_them():
    assert Command("page", "python -m client synth '你 好' -o - | ffmpeg -i -").words[3:6] == ["synth", "你 好", "-o"]
