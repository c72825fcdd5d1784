"""A real Prometheus on the files of docker/monitoring, in a hurry."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from programs import needed

MONITORING = Path(__file__).resolve().parents[2] / "docker" / "monitoring"
RULES = tuple(sorted((MONITORING / "rules").glob("*.yml")))
PATIENCE = 60.0
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(?P<number>\d+)(?P<unit>ms|[smhd])")


def sooner(content: Any, times: float) -> Any:
    """A configuration or rules in which every duration is `times` shorter, and nothing else has changed.

    Durations are the values of `for` and of the intervals, and what stands in brackets, or after `offset`, in an
    expression.
    """
    if isinstance(content, list):
        return [sooner(item, times) for item in content]
    if not isinstance(content, Mapping):
        return content
    changed = {}
    for key, value in content.items():
        if key == "for" or key.endswith("interval"):
            changed[key] = _shorter(value, times)
        elif key == "expr":
            changed[key] = re.sub(r"(?<=\[)\w+(?=\])|(?<=offset )\w+", lambda found: _shorter(found[0], times), value)
        else:
            changed[key] = sooner(value, times)
    return changed


def _shorter(duration: str, times: float) -> str:
    parts = _DURATION.fullmatch(duration)
    assert parts, duration
    return f"{round(int(parts['number']) * _SECONDS[parts['unit']] * 1000 / times)}ms"


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression gives now: the series, with their labels as `metric`."""
        with urllib.request.urlopen(f"{self._url}/query?{urllib.parse.urlencode({'query': expression})}") as answer:
            content = json.load(answer)
        assert content["status"] == "success", content
        return content["data"]["result"]

    def fired(self, selector: str = "") -> set[str]:
        """The alerts that have fired since the start; `selector` chooses by labels."""
        found = self.query(f'max_over_time(ALERTS{{alertstate="firing",{selector}}}[1h])')
        return {series["metric"]["alertname"] for series in found}

    def names(self) -> set[str]:
        """Every metric that was scraped or recorded."""
        with urllib.request.urlopen(f"{self._url}/label/__name__/values") as answer:
            return set(json.load(answer)["data"])

    def wait_for(self, *alerts: str, selector: str = "") -> None:
        """Return once all of them have fired."""
        _until(lambda: set(alerts) <= self.fired(selector), f"{alerts} fire")


@contextmanager
def prometheus(folder: Path, targets: Mapping[str, list[str]], times: float) -> Iterator[Prometheus]:
    """One that scrapes `targets`, by job, with the rules that are shipped, everything `times` as often and as soon."""
    program = needed("prometheus")
    rules = folder / "rules"
    rules.mkdir()
    for file in RULES:
        content = sooner(yaml.safe_load(file.read_text("utf-8")), times)
        (rules / file.name).write_text(yaml.safe_dump(content), "utf-8")
    config = sooner(yaml.safe_load((MONITORING / "prometheus.yml").read_text("utf-8")), times)
    config["global"]["scrape_timeout"] = config["global"]["scrape_interval"]
    config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": targets[job["job_name"]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    arguments = (
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    )
    log = folder / "prometheus.log"
    with log.open("w") as output, subprocess.Popen([program, *arguments], stdout=output, stderr=output) as process:
        try:
            _await(f"http://127.0.0.1:{port}/-/ready", process, log)
            started = Prometheus(port)
            # It takes 5 s until the first target is asked, whatever the interval.
            _until(lambda: len(started.query("up")) == sum(map(len, targets.values())), "targets are asked")
            yield started
        finally:
            process.terminate()


def _until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.1)


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, f"Prometheus is not ready within {PATIENCE:g} s: {log.read_text()}"
            time.sleep(0.05)
