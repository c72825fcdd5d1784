"""Prometheus' and Grafana's files are right, by their own tools, and the documentation tells of everything in them."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
from pathlib import Path

import pytest
import telemetry
import yaml
from programs import needed

from monitoring.prometheus_server import MONITORING, RULES, sooner
from server.gateway.metrics import GatewayMetrics

TESTS = Path(__file__).with_name("rules.yml")
ROOT = MONITORING.parents[1]
PAGE = ROOT / "docs" / "monitoring.md"
ALERTS = {
    rule["alert"]: rule
    for file in RULES
    for group in yaml.safe_load(file.read_text("utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", str(MONITORING / "prometheus.yml")), ("test", "rules", str(TESTS))],
    ids=["configuration", "rules"],
)
def test_promtool_finds_nothing_wrong(arguments):
    result = subprocess.run([needed("promtool"), *arguments], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_each_alert_is_tested_on_either_side_of_its_threshold():
    cases = [
        case for test in yaml.safe_load(TESTS.read_text("utf-8"))["tests"] for case in test.get("alert_rule_test", ())
    ]
    for alert in ALERTS:
        outcomes = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
        assert set(outcomes) == {True, False}, alert


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert):
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"].endswith(".")
    assert rule["annotations"]["runbook"] == f"docs/monitoring.md#{alert.lower()}"
    page = PAGE.read_text("utf-8")
    assert f"\n### {alert}\n" in page
    assert f"| [{alert}](#{alert.lower()}) | {rule['labels']['severity']} |" in page


def test_the_page_has_no_alert_that_there_is_not():
    assert set(re.findall(r"^### (\w+)$", PAGE.read_text("utf-8"), re.MULTILINE)) == set(ALERTS)


def test_the_page_tells_of_every_metric():
    page = PAGE.read_text("utf-8")
    ours = {*telemetry._COUNTERS, *telemetry._GAUGES, *telemetry._HISTOGRAMS}
    gateways = {
        f"{family.name}{'_total' * (family.type == 'counter')}" for family in GatewayMetrics().registry.collect()
    }
    assert [name for name in sorted(ours | gateways) if f"`{name}" not in page] == []


def test_the_dashboard_is_what_its_program_writes():
    program = runpy.run_path(str(MONITORING / "dashboard.py"))
    assert program["FILE"].read_text("utf-8") == program["text"](), "run docker/monitoring/dashboard.py"


def test_grafana_finds_the_dashboard_and_the_source_of_its_panels():
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text("utf-8"))["datasources"]
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "dashboards.yml").read_text("utf-8"))["providers"]
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "tts.json").read_text("utf-8"))
    shown = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in shown} == {source["uid"]}
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text("utf-8"))
    mounts = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounts["./monitoring/grafana/dashboards"] == provider["options"]["path"]


def test_panels_and_their_queries_can_be_told_apart_and_turn_red_at_a_number():
    panels = json.loads((MONITORING / "grafana" / "dashboards" / "tts.json").read_text("utf-8"))["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        queries = [target["refId"] for target in panel.get("targets", ())]
        assert all(queries)
        assert len(set(queries)) == len(queries)
        steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps", ())
        assert [type(step["value"]) for step in steps][1:] in ([], [int], [float])


def test_panels_do_not_lie_upon_each_other():
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "tts.json").read_text("utf-8"))
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in dashboard["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_rules_in_a_hurry_differ_in_their_durations_only():
    rules = {"groups": [{"interval": "1m", "rules": [{"expr": "rate(a_rate5m[5m] offset 1h) > 30", "for": "2m"}]}]}
    assert sooner(rules, 60) == {
        "groups": [
            {"interval": "1000ms", "rules": [{"expr": "rate(a_rate5m[5000ms] offset 60000ms) > 30", "for": "2000ms"}]}
        ]
    }
    for file in RULES:
        content = yaml.safe_load(file.read_text("utf-8"))
        assert without_durations(sooner(content, 60)) == without_durations(content)


def without_durations(content):
    return re.sub(r"\b\d+(ms|s|m|h)\b", "some time", json.dumps(content))
