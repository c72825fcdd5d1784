"""Each alert fires when its cause is made: the real Prometheus, on the rules that are shipped, watches a real server.

Durations are divided by 60, and thresholds are those that are shipped. Three causes cannot be made here, a GPU's
and a host's memory that is nearly full, and the refusals that come of it; and a second server, without the front door,
would take its time to start. A page with the metrics that a router shows of that stands in for them. The last test
counts on all before it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
import yaml
from revival import REVIVED_SECONDS
from service.own_server import eventually

from client import ServiceUnavailable, SpeechError
from monitoring.prometheus_server import MONITORING, RULES
from server.gateway.metrics import GatewayMetrics

LONG = 300.0  # seconds for requests that are held
# Where there is no GPU, Triton shows nothing of one.
ONLY_WITH_A_GPU = {"nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes", "nv_gpu_utilization"}
# Shown once a voice was loaded or unloaded on demand.
ONLY_ON_DEMAND = {"tts_voice_loads_total", "tts_voice_unloads_total"}


@pytest.fixture(autouse=True)
def _no_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client would hide a refusal by trying again."""
    monkeypatch.setattr("client._retry.ATTEMPTS", 1)


def test_a_service_that_is_stuck_is_told_of_from_every_side(watched):
    front = watched.front
    with front.held():
        answers = [front.speak(f"第{number}个。", timeout=LONG) for number in range(watched.run + watched.wait)]
        eventually(lambda: front.metric("tts_waiting") == watched.wait, "the house is full")
        with pytest.raises(ServiceUnavailable, match="overloaded"):
            front.synthesizer.synthesize("太多了。")
        ask_for_new_styles(front, 60)
        for _ in range(3):
            brought_back = front.metric("tts_revivals_total", model="aligner")
            watched.kill("aligner")
            eventually(more(front, brought_back, "tts_revivals_total", model="aligner"), "it is brought back")
            short = front.metric("tts_out_of_memory_total")
            front.closed.with_name("starved").touch()
            eventually(more(front, short, "tts_out_of_memory_total"), "a stage gets no memory")
            # One that was brought back a moment ago is not brought back again.
            time.sleep(REVIVED_SECONDS)
        watched.prometheus.wait_for("RequestsRefused", "NoAudio", "Degraded", "OutOfMemory", "ErrorsMany")
        watched.prometheus.wait_for("ModelKeepsDying", selector='model="aligner"')
        watched.prometheus.wait_for("CacheHitRateLow", "QueueWaitLong")
    outcomes = [outcome(answer) for answer in answers]
    starved = [told for told in outcomes if "Unable to allocate 256. PiB" in told]
    assert len(starved) == front.metric("tts_out_of_memory_total") >= 3
    # A call that meets a dead stage twice gives up.
    assert all(told == "spoken" or told in starved or "a model of the server died" in told for told in outcomes), (
        outcomes
    )
    assert "spoken" in outcomes
    watched.prometheus.wait_for("LatencyHigh")


def more(front, before, metric, **labels):
    """Whether a metric has grown."""
    return lambda: front.metric(metric, **labels) > before


def ask_for_new_styles(front, number):
    """Look so many styles up that nobody has asked for."""
    for style in range(number):
        points = np.array([[ord(letter) for letter in f"第{style}种风格"]], dtype=np.int32)
        given = grpcclient.InferInput("instruction", points.shape, "INT32")
        given.set_data_from_numpy(points)
        front.client.infer("demo_style", [given])


def outcome(answer):
    try:
        return "spoken" if answer.result().samples.size else "empty"
    except SpeechError as error:
        return str(error)


def test_full_memory_and_a_server_without_the_front_door_are_told_of(watched):
    watched.prometheus.wait_for("GpuMemoryHigh", "HostMemoryHigh", "LoadShed", "FrontDoorMissing")


def test_every_query_of_the_dashboard_is_understood_and_asks_for_what_there_is(watched):
    dashboard = json.loads((MONITORING / "grafana" / "dashboards" / "tts.json").read_text("utf-8"))
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 20
    for query in queries:
        watched.prometheus.query(query.replace("$__rate_interval", "5s").replace("$instance", ".*"))
    rules = [rule for file in RULES for group in groups(file) for rule in group["rules"]]
    recorded = {rule["record"] for rule in rules if "record" in rule}
    known = watched.prometheus.names() | recorded | gateway_names() | ONLY_WITH_A_GPU | ONLY_ON_DEMAND
    asked = set().union(*map(names, [*queries, *(rule["expr"] for rule in rules)]))
    assert asked - known == set()


def groups(file):
    return yaml.safe_load(file.read_text("utf-8"))["groups"]


def names(expression):
    """The metrics that an expression asks for."""
    rest = re.sub(r'"[^"]*"|\[[^]]*\]|\b(?:by|on) *\([^)]*\)', " ", expression)
    rest = re.sub(r"\{[^}]*\}", " ", rest)
    words = re.findall(r"(?<![\w.])[a-zA-Z_:][\w:]*(?! *\()(?![\w:])", rest)
    return {word for word in words if word not in ("and", "or", "unless", "by", "on")}


def gateway_names():
    """What the gateway's page may show."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
    families = GatewayMetrics().registry.collect()
    return {family.name + suffix for family in families for suffix in suffixes[family.type]}


def test_a_model_that_cannot_be_brought_back_is_told_of_until_it_answers(watched):
    front = watched.front
    whole = {file: file.read_bytes() for file in (watched.copy.folder / "demo_decoder" / "1").glob("*.onnx")}
    watched.copy.damage("demo_decoder")
    watched.kill("demo_decoder")
    assert "demo_decoder has stopped and cannot be restarted" in outcome(front.speak("说不出来。"))
    watched.prometheus.wait_for("ModelUnhealthy", selector='model="demo_decoder"')
    for file, content in whole.items():
        file.write_bytes(content)
    front.client.load_model("demo_decoder")
    eventually(lambda: outcome(front.speak("又能说了。")) == "spoken", "it was loaded by hand")
    eventually(lambda: front.metric("tts_model_unhealthy", model="demo_decoder") == 0, "it is well again")


def test_a_server_that_is_gone_is_told_of_and_so_every_alert_has_fired(watched):
    address = watched.front.server.address.metrics
    os.kill(watched.front.server.pid, signal.SIGSTOP)
    try:
        watched.prometheus.wait_for("ServerDown", selector=f'instance="{address}"')
    finally:
        os.kill(watched.front.server.pid, signal.SIGCONT)
    shipped = {rule["alert"] for file in RULES for group in groups(file) for rule in group["rules"] if "alert" in rule}
    assert watched.prometheus.fired() == shipped
