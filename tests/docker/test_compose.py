"""The Compose files are whole and strict, and what they run are our commands with options and files that exist."""

from __future__ import annotations

import functools
import json
import os
import re
from typing import Any

import pytest
from server_commands import DOCKER, ROOT, VENV, checked, parsed, prefix, variables
from typer.main import get_command

from export.engines import command as engines

COMBINATIONS = {
    "gpu": (),
    "cpu": ("compose.cpu.yaml",),
    "secure": ("compose.secure.yaml",),
    "cpu-secure": ("compose.cpu.yaml", "compose.secure.yaml"),
}
# Which command's variables begin with what in a service.
COMMANDS = {"server": ("server serve", "client health"), "gateway": ("server gateway",)}
OURS = ("server", "gateway", "export", "plans")


@functools.cache
def compose(combination: str) -> dict[str, Any]:
    """The services as Compose understands them, of all profiles."""
    files = [word for name in ("compose.yaml", *COMBINATIONS[combination]) for word in ("--file", DOCKER / name)]
    return json.loads(
        checked(
            *(VENV / "docker-compose", "--env-file", DOCKER / ".env.example", *files),
            *("--profile", "export", "--profile", "monitoring", "config", "--format", "json"),
        )
    )


def seconds(text: str) -> int:
    minutes, rest = re.fullmatch(r"(?:(\d+)m)?(\d+)s", text).groups()
    return 60 * int(minutes or 0) + int(rest)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_combination_of_the_files_is_valid(combination):
    expected = {*OURS, "prometheus", "grafana"} - ({"plans"} if "cpu" in combination else set())
    assert set(compose(combination)["services"]) == expected


def test_every_variable_of_the_files_is_in_the_example_with_its_default():
    used = {}
    for path in DOCKER.glob("compose*.yaml"):
        used |= dict(re.findall(r"\$\{(\w+):-([^}]*)\}", path.read_text()))
    lines = (DOCKER / ".env.example").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert told == {**used, "TTS_PROFILE": "auto"}


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_container_is_locked_down_and_bounded(combination):
    for name, service in compose(combination)["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in ("", "0", "root"), name
        assert "privileged" not in service, name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert service["logging"]["options"]["max-size"], name


def test_nothing_is_open_beyond_this_machine_unless_it_is_asked_for():
    for service in compose("gpu")["services"].values():
        assert all(port["host_ip"] == "127.0.0.1" for port in service.get("ports", ()))


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_the_variables_of_our_services_are_options_of_what_they_run(combination):
    for name, commands in COMMANDS.items():
        environment = compose(combination)["services"][name]["environment"]
        assert set(environment) <= set().union(*map(variables, commands)), name
        for command in commands:
            own = {key: value for key, value in environment.items() if key in variables(command)}
            given = parsed(command, [], own)
            assert all(given[key.removeprefix(f"{prefix(command)}_").lower()] is not None for key in own)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_secret_that_a_variable_names_is_given_to_the_service(combination):
    whole = compose(combination)
    for name in ("server", "gateway"):
        service = whole["services"][name]
        given = {f"/run/secrets/{secret['source']}" for secret in service["secrets"]}
        named = {value for value in service["environment"].values() if value.startswith("/run/secrets/")}
        assert named <= given, name
        assert {secret["source"] for secret in service["secrets"]} <= set(whole["secrets"])


def test_a_gpu_is_reserved_where_there_is_one_and_only_there():
    def reserved(service: dict[str, Any]) -> bool:
        return bool(service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices"))

    assert {name for name, service in compose("gpu")["services"].items() if reserved(service)} == {"server", "plans"}
    assert not [name for name, service in compose("cpu")["services"].items() if reserved(service)]


def test_a_container_gets_longer_to_stop_than_the_server_takes():
    service = compose("gpu")["services"]["server"]
    exit_timeout = parsed("server serve", [], service["environment"])["exit_timeout"]
    # The drain, and then the end of the process (server/triton.py).
    assert seconds(service["stop_grace_period"]) >= 2 * exit_timeout + 15
    assert seconds(service["healthcheck"]["timeout"]) < seconds(service["healthcheck"]["interval"]) + 1


def test_health_is_asked_of_the_real_client_and_with_the_token():
    service = compose("gpu")["services"]["server"]
    _, python, flag, module, name, *arguments = service["healthcheck"]["test"]
    assert (python, flag) == ("python3", "-m")
    given = parsed(f"{module} {name}", arguments, service["environment"])
    assert str(given["token_file"]) == "/run/secrets/token"


def test_plans_are_built_by_the_exporters_own_command():
    module, name, *arguments = compose("gpu")["services"]["plans"]["command"]
    command = get_command(engines.app).commands[name]
    assert module == "export"
    assert command.make_context(name, arguments).params["voices"] == ["demo"]


def test_the_server_reads_the_repository_that_the_exports_write():
    services = compose("gpu")["services"]
    mounts = {name: {mount["target"]: mount for mount in services[name]["volumes"]} for name in ("server", *OURS[2:])}
    assert mounts["server"]["/models"]["read_only"] is True
    assert {mounts[name]["/models"]["source"] for name in mounts} == {"models"}
    assert not any(mounts[name]["/models"].get("read_only") for name in ("export", "plans"))


def test_what_is_built_or_mounted_of_this_checkout_is_there():
    for service in compose("gpu")["services"].values():
        if "build" in service:
            assert os.path.samefile(service["build"]["context"], ROOT)
            dockerfile = (ROOT / service["build"]["dockerfile"]).read_text()
            target = service["build"].get("target")
            assert target is None or f" AS {target}\n" in dockerfile
        for mount in service.get("volumes", ()):
            assert mount["type"] == "volume" or os.path.exists(mount["source"]), mount
