"""The Kubernetes objects are valid, fit together, and run our commands with options, ports and files that exist."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml
from programs import needed
from server_commands import DOCKER, ROOT, checked, parsed, variables
from typer.main import get_command

from export.engines import command as engines

FOLDER = DOCKER / "kubernetes"
APPLIED = ("export", "export-gpu", "gpu", "cpu")
SERVING = ("gpu", "cpu")
# The oldest Kubernetes that the objects are for.
OLDEST = "1.29.0"
COMMANDS = {"server": ("server serve", "client health"), "gateway": ("server gateway",)}
NAME = "app.kubernetes.io/name"


@functools.cache
def objects(overlay: str) -> tuple[dict[str, Any], ...]:
    """Everything that an overlay makes."""
    made = checked(needed("kubectl"), "kustomize", FOLDER / overlay)
    return tuple(yaml.safe_load_all(made))


def of(overlay: str, kind: str) -> dict[str, dict[str, Any]]:
    """An overlay's objects of one kind by their names."""
    return {found["metadata"]["name"]: found for found in objects(overlay) if found["kind"] == kind}


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    """The templates of all pods by the names of what makes them."""
    makers = {**of(overlay, "Deployment"), **of(overlay, "Job")}
    return {name: maker["spec"]["template"] for name, maker in makers.items()}


def containers(overlay: str) -> dict[str, dict[str, Any]]:
    specs = [pod["spec"] for pod in pods(overlay).values()]
    return {found["name"]: found for spec in specs for found in (*spec.get("initContainers", ()), *spec["containers"])}


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container.get("env", ())}


def selected(labels: dict[str, str], selector: dict[str, str]) -> bool:
    return selector.items() <= labels.items()


def test_every_object_is_valid_and_has_no_field_that_kubernetes_does_not_know():
    distinct = {json.dumps(found): found for overlay in APPLIED for found in objects(overlay)}
    assert len(distinct) >= 20
    for found in distinct.values():
        kubernetes_validate.validate(found, OLDEST, strict=True)
        assert found["kind"] == "Namespace" or found["metadata"]["namespace"] == "tts"


@pytest.mark.parametrize("overlay", APPLIED)
def test_every_pod_is_as_locked_down_as_its_namespace_demands(overlay):
    (namespace,) = of(overlay, "Namespace").values()
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, pod in pods(overlay).items():
        spec, own = pod["spec"], pod["spec"]["securityContext"]
        assert (own["runAsNonRoot"], own["runAsUser"], own["fsGroup"]) == (True, 1000, 1000), name
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        # A service called tts-gateway would set TTS_GATEWAY_PORT, which is an option of ours.
        assert spec["enableServiceLinks"] is False, name
    for name, container in containers(overlay).items():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name


@pytest.mark.parametrize("overlay", APPLIED)
def test_what_is_mounted_is_a_volume_of_the_pod_and_every_claim_is_made(overlay):
    for pod in pods(overlay).values():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for container in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]):
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            places = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
            assert "/tmp" in places  # where HOME is
            for value in environment(container).values():
                assert not value.startswith("/") or any(value.startswith(f"{place}/") for place in places), value
        claims = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes.values()
            if len(volume) == 2 and "persistentVolumeClaim" in volume
        }
        assert claims <= set(of(overlay, "PersistentVolumeClaim"))
        secrets = [volume["secret"] for volume in volumes.values() if "secret" in volume]
        assert all(secret["defaultMode"] == 0o440 for secret in secrets)


@pytest.mark.parametrize("overlay", SERVING)
def test_every_selector_finds_pods_that_have_the_ports(overlay):
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(overlay).items()}
    ports = {
        name: {port["name"]: port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]}
        for name, pod in pods(overlay).items()
    }
    for deployment, found in of(overlay, "Deployment").items():
        assert selected(labels[deployment], found["spec"]["selector"]["matchLabels"])
    for service in of(overlay, "Service").values():
        (chosen,) = [name for name in labels if selected(labels[name], service["spec"]["selector"])]
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports[chosen])
    for budget in of(overlay, "PodDisruptionBudget").values():
        assert any(selected(own, budget["spec"]["selector"]["matchLabels"]) for own in labels.values())
    for scaler in of(overlay, "HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in of(overlay, "Deployment")
    for policy in of(overlay, "NetworkPolicy").values():
        for name in (
            name for name in labels if selected(labels[name], policy["spec"]["podSelector"].get("matchLabels", {}))
        ):
            opened = [port["port"] for rule in policy["spec"].get("ingress", ()) for port in rule["ports"]]
            assert set(opened) <= set(ports[name]), policy["metadata"]["name"]


@pytest.mark.parametrize("overlay", SERVING)
def test_the_ports_are_those_that_the_commands_listen_on(overlay):
    found = containers(overlay)
    server = parsed("server serve", found["server"]["args"][2:], environment(found["server"]))
    ports = {port["name"]: port["containerPort"] for port in found["server"]["ports"]}
    assert ports == {"grpc": server["grpc_port"], "metrics": server["metrics_port"]}
    gateway = parsed("server gateway", [], environment(found["gateway"]))
    assert found["gateway"]["ports"] == [{"name": "http", "containerPort": gateway["port"]}]
    services = {
        name: {port["port"] for port in service["spec"]["ports"]} for name, service in of(overlay, "Service").items()
    }
    for address in (gateway["server"], gateway["metrics_server"]):
        name, port = address.removeprefix("dns:///").split(":")
        assert int(port) in services[name], address
    assert of(overlay, "Service")["tts-headless"]["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("overlay", APPLIED)
def test_every_container_runs_a_command_of_ours_with_variables_that_it_has(overlay):
    images = {"server": "server", "plans": "server", "gateway": "gateway", "voices": "export"}
    script = (DOCKER / "export-voices").read_text()
    for name, container in containers(overlay).items():
        image, tag = container["image"].split(":")
        assert (image, tag) == (f"tts-{images[name]}", "26.06")
        assert "command" not in container  # the image's entrypoint stays
        if name in COMMANDS:
            known = set().union(*(variables(command) for command in COMMANDS[name]))
            assert set(environment(container)) <= known, name
        elif name == "voices":
            assert all(f"${{{variable}:-" in script for variable in environment(container))
        else:
            module, command, *arguments = container["args"]
            assert module == "export"
            assert get_command(engines.app).commands[command].make_context(command, arguments).params["voices"]
    if overlay in SERVING:
        assert containers(overlay)["server"]["args"] == ["server", "serve"]


@pytest.mark.parametrize("overlay", SERVING)
def test_readiness_is_a_real_synthesis_and_liveness_does_not_kill_who_is_busy(overlay):
    server = containers(overlay)["server"]
    for probe in (server["startupProbe"], server["readinessProbe"]):
        python, flag, module, name, *arguments = probe["exec"]["command"]
        assert (python, flag) == ("python3", "-m")
        given = parsed(f"{module} {name}", arguments, environment(server))
        assert given["seconds"] < probe["timeoutSeconds"]
        assert str(given["token_file"]) == environment(server)["TTS_TOKEN_FILE"]
    assert server["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
    grace = pods(overlay)["tts-server"]["spec"]["terminationGracePeriodSeconds"]
    pause = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert grace >= pause + 2 * parsed("server serve", [], environment(server))["exit_timeout"] + 15


def test_only_the_gpu_overlays_ask_for_a_card_and_only_where_there_is_one():
    def asks(overlay: str) -> set[str]:
        return {name for name, found in containers(overlay).items() if "nvidia.com/gpu" in found["resources"]["limits"]}

    assert [asks(overlay) for overlay in APPLIED] == [set(), {"plans"}, {"server"}, set()]
    for overlay, name in (("gpu", "tts-server"), ("export-gpu", "tts-export")):
        spec = pods(overlay)[name]["spec"]
        assert spec["nodeSelector"] == {"nvidia.com/gpu.present": "true"}
        assert spec["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert environment(containers("cpu")["server"])["TTS_PROFILE"] == "cpu"


def test_voices_are_exported_before_their_plans_are_built():
    spec = pods("export-gpu")["tts-export"]["spec"]
    assert [found["name"] for found in spec["initContainers"]] == ["voices"]
    assert [found["name"] for found in spec["containers"]] == ["plans"]
    assert [found["name"] for found in pods("export")["tts-export"]["spec"]["containers"]] == ["voices"]


@pytest.mark.parametrize("overlay", SERVING)
def test_the_servers_only_read_the_repository_that_the_job_writes(overlay):
    claims = {
        name: next(volume["persistentVolumeClaim"] for volume in pod["spec"]["volumes"] if volume["name"] == "models")
        for name, pod in (pods(overlay) | pods("export")).items()
        if name != "tts-gateway"
    }
    assert claims == {
        "tts-server": {"claimName": "tts-models", "readOnly": True},
        "tts-export": {"claimName": "tts-models"},
    }


def test_servers_are_added_by_a_metric_that_they_have():
    (metric,) = of("gpu", "HorizontalPodAutoscaler")["tts-server"]["spec"]["metrics"]
    name = metric["pods"]["metric"]["name"]
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert rule["seriesQuery"].startswith(f"{name}{{")
    assert f'"{name}"' in (ROOT / "model_repository" / "tts" / "1" / "telemetry.py").read_text()
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}


def test_only_the_gateway_and_who_is_labelled_for_it_reach_grpc_and_only_monitoring_the_metrics_as_well():
    policies = of("gpu", "NetworkPolicy")
    assert policies["tts-nothing"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    reached = {
        str(rule["from"][0]): {port["port"] for port in rule["ports"]}
        for rule in policies["tts-server"]["spec"]["ingress"]
    }
    assert reached == {
        str({"podSelector": {"matchLabels": {NAME: "tts-gateway"}}}): {"grpc", "metrics"},
        str({"podSelector": {"matchLabels": {"tts-client": "true"}}}): {"grpc"},
        str({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}): {"metrics"},
    }


def test_the_service_monitors_select_services_of_the_overlays_and_their_ports():
    services = of("gpu", "Service").values()
    for monitor in of("service-monitor", "ServiceMonitor").values():
        wanted = monitor["spec"]["selector"]["matchLabels"]
        (chosen,) = [found for found in services if selected(found["metadata"]["labels"], wanted)]
        names = {port["name"] for port in chosen["spec"]["ports"]}
        assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} <= names


def test_the_versions_of_the_images_and_of_tritons_are_one():
    (tag,) = re.findall(r"^ARG TRITON=(.*)$", (DOCKER / "Dockerfile").read_text(), re.MULTILINE)
    for overlay in APPLIED:
        for image in yaml.safe_load((FOLDER / overlay / "kustomization.yaml").read_text())["images"]:
            assert image["newTag"] == tag
