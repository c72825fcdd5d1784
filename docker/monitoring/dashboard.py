"""Writes grafana/dashboards/tts.json, the dashboard of the service.

Grafana's own builders know what a panel may hold in the version that runs here; a file kept by hand would be eight
times as long and checked by nobody. After a change run this and commit both.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DataSourceRef,
    GridPos,
    Threshold,
    ThresholdsMode,
    VariableOption,
    VariableRefresh,
)

FILE = Path(__file__).parent / "grafana" / "dashboards" / "tts.json"
COLUMNS = 24
SOURCE = DataSourceRef("prometheus", "prometheus")
HERE = 'instance=~"$instance"'


@dataclass(frozen=True)
class Query:
    """What Prometheus is asked, and what its lines are called."""

    expr: str
    legend: str


@dataclass(frozen=True)
class Panel:
    """One graph, or the newest number alone where it turns red above `alarm`; `width` in columns of 24."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    description: str
    width: int = 8
    alarm: float | None = None


def panel(
    title: str, unit: str, *queries: tuple[str, str], about: str, width: int = 8, alarm: float | None = None
) -> Panel:
    """A panel; in its queries `$here` stands for the choice of instances."""
    asked = tuple(Query(expr.replace("$here", HERE), legend) for expr, legend in queries)
    return Panel(title, unit, asked, about, width, alarm)


def number(title: str, unit: str, expr: str, *, about: str, alarm: float) -> Panel:
    """The newest value, red from `alarm` on."""
    return panel(title, unit, (expr, ""), about=about, width=4, alarm=alarm)


def quantile(share: float, histogram: str) -> str:
    """A quantile of one of the router's histograms, over all chosen instances."""
    return f"histogram_quantile({share:g}, sum by (le) (rate({histogram}_bucket{{$here}}[$__rate_interval])))"


ROWS: dict[str, tuple[Panel, ...]] = {
    "Now": (
        number(
            "Servers down",
            "none",
            'count(up{job="tts", $here} == 0) or vector(0)',
            about="Of those that are chosen.",
            alarm=1,
        ),
        number(
            "Latency, 95 %",
            "s",
            "max(instance:tts_request_seconds:p95_5m{$here})",
            about="Of the slowest server, the last five minutes.",
            alarm=20,
        ),
        number("Oldest wait", "s", "max(tts_oldest_wait_seconds{$here})", about="Of the queue's head.", alarm=30),
        number(
            "Real-time factor",
            "none",
            "max(instance:tts_real_time_factor:rate5m{$here})",
            about="Below 1 audio is made faster than it is heard.",
            alarm=1,
        ),
        number(
            "Degradation",
            "none",
            "max(tts_degradation_step{$here})",
            about="0 full, 1 small, 2 light, 3 shed.",
            alarm=1,
        ),
        number("Dead models", "none", "sum(tts_model_unhealthy{$here})", about="Found dead, not back yet.", alarm=1),
    ),
    "Requests": (
        panel(
            "Requests by outcome",
            "reqps",
            ("sum by (outcome) (rate(tts_requests_total{$here}[$__rate_interval]))", "{{outcome}}"),
            about="Those that ran.",
        ),
        panel(
            "Refused by reason",
            "reqps",
            ("sum by (reason) (rate(tts_refused_total{$here}[$__rate_interval]))", "{{reason}}"),
            about="Those that never ran.",
        ),
        panel(
            "In flight and waiting",
            "none",
            ("sum(tts_in_flight{$here})", "in flight"),
            ("sum(tts_waiting{$here})", "waiting"),
            about="Now.",
        ),
        panel(
            "Request, arrival to end",
            "s",
            (quantile(0.5, "tts_request_seconds"), "50 %"),
            (quantile(0.95, "tts_request_seconds"), "95 %"),
            (quantile(0.99, "tts_request_seconds"), "99 %"),
            about="Waiting included.",
        ),
        panel(
            "First audio",
            "s",
            (quantile(0.5, "tts_first_audio_seconds"), "50 %"),
            (quantile(0.95, "tts_first_audio_seconds"), "95 %"),
            about="From a request's arrival, waiting included.",
        ),
        panel(
            "Waiting for a turn",
            "s",
            (quantile(0.5, "tts_queue_seconds"), "50 %"),
            (quantile(0.95, "tts_queue_seconds"), "95 %"),
            ("max(tts_oldest_wait_seconds{$here})", "oldest now"),
            about="From arrival to start.",
        ),
        panel(
            "Audio per second",
            "s",
            ("sum by (instance) (rate(tts_audio_seconds_total{$here}[$__rate_interval]))", "{{instance}}"),
            about="Seconds of audio sent in each second.",
        ),
        panel(
            "Real-time factor",
            "none",
            ("instance:tts_real_time_factor:rate5m{$here}", "{{instance}}"),
            about="How long a second of audio takes its request.",
        ),
        panel(
            "Degradation",
            "none",
            ("tts_degradation_step{$here}", "{{instance}}"),
            about="0 full, 1 small, 2 light, 3 shed.",
        ),
    ),
    "Memory and models": (
        panel(
            "Memory used",
            "percentunit",
            ("tts_memory_used_fraction{$here}", "{{where}} {{instance}}"),
            about="Of the host or the container's limit, and of the fullest GPU.",
        ),
        panel(
            "GPU memory, by card",
            "percentunit",
            ("nv_gpu_memory_used_bytes{$here} / nv_gpu_memory_total_bytes{$here}", "{{gpu_uuid}}"),
            about="Only where there is a GPU.",
        ),
        panel(
            "GPU utilisation",
            "percentunit",
            ("nv_gpu_utilization{$here}", "{{gpu_uuid}}"),
            about="Only where there is a GPU.",
        ),
        panel(
            "Time in each model",
            "µs",
            (
                "sum by (model) (rate(nv_inference_compute_infer_duration_us{$here}[$__rate_interval]))"
                " / sum by (model) (rate(nv_inference_exec_count{$here}[$__rate_interval]))",
                "{{model}}",
            ),
            about="Of one execution.",
        ),
        panel(
            "Mean batch",
            "none",
            (
                "sum by (model) (rate(nv_inference_count{$here}[$__rate_interval]))"
                " / sum by (model) (rate(nv_inference_exec_count{$here}[$__rate_interval]))",
                "{{model}}",
            ),
            about="Requests that share an execution.",
        ),
        panel(
            "Calls that wait for a model",
            "none",
            ("sum by (model) (nv_inference_pending_request_count{$here})", "{{model}}"),
            about="The model that a hung request waits for is the one that does not fall.",
        ),
        panel(
            "Style cache hits",
            "percentunit",
            ("instance:nv_cache_hits:ratio30m{$here}", "{{instance}}"),
            about="Of the last half hour's look-ups.",
        ),
        panel(
            "Voices loaded and unloaded",
            "none",
            ("sum by (voice) (increase(tts_voice_loads_total{$here}[$__rate_interval]))", "{{voice}} loaded"),
            (
                "sum by (voice, reason) (increase(tts_voice_unloads_total{$here}[$__rate_interval]))",
                "{{voice}} unloaded: {{reason}}",
            ),
            about="By the front door, on demand.",
        ),
        panel(
            "Models brought back, memory that was missing",
            "none",
            ("sum by (model) (increase(tts_revivals_total{$here}[$__rate_interval]))", "{{model}}"),
            ("sum(increase(tts_out_of_memory_total{$here}[$__rate_interval]))", "out of memory"),
            about="Both ought to be nought.",
        ),
    ),
    "Gateway": (
        panel(
            "Requests by route and status",
            "reqps",
            (
                "sum by (route, status) (rate(gateway_requests_total{$here}[$__rate_interval]))",
                "{{route}} {{status}}",
            ),
            about="At the HTTP gateway.",
        ),
        panel(
            "First byte",
            "s",
            (quantile(0.5, "gateway_first_byte_seconds"), "50 %"),
            (quantile(0.95, "gateway_first_byte_seconds"), "95 %"),
            about="From a request's headers to the first byte of its answer.",
        ),
        panel(
            "Open, refused",
            "none",
            ("sum(gateway_open_streams{$here})", "open answers"),
            ("sum by (reason) (increase(gateway_refused_total{$here}[$__rate_interval]))", "refused: {{reason}}"),
            about="Answers under way, and requests that were not passed on.",
        ),
    ),
}


def build() -> Dashboard:
    """The whole dashboard."""
    board = (
        Dashboard("Speech synthesis")
        .uid("tts")
        .tags(["tts"])
        .refresh("30s")
        .time("now-1h", "now")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .readonly()
        .with_variable(
            QueryVariable("instance")
            .label("Instance")
            .query('label_values(up{job=~"tts|gateway"}, instance)')
            .datasource(SOURCE)
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
        )
    )
    top = 0
    ids = itertools.count(1)
    for title, panels in ROWS.items():
        board = board.with_row(Row(title).id(next(ids)).grid_pos(GridPos(1, COLUMNS, 0, top)))
        top += 1
        for places, made in _placed(panels, top):
            board = board.with_panel(made.id(next(ids)).grid_pos(places))
            top = places.y + places.h
    return board


def _placed(panels: tuple[Panel, ...], top: int) -> Iterator[tuple[GridPos, stat.Panel | timeseries.Panel]]:
    """Each panel and where it stands, left to right and on in the next line."""
    left = 0
    for shown in panels:
        height = 8 if shown.alarm is None else 4
        if left + shown.width > COLUMNS:
            left, top = 0, top + height
        yield GridPos(height, shown.width, left, top), _number(shown) if shown.alarm is not None else _graph(shown)
        left += shown.width


def _graph(shown: Panel) -> timeseries.Panel:
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
    legend = legend.show_legend(True)
    made = timeseries.Panel().title(shown.title).description(shown.description).unit(shown.unit).min(0)
    made = made.datasource(SOURCE).legend(legend)
    for query, name in zip(shown.queries, string.ascii_uppercase, strict=False):
        made = made.with_target(_target(query, name))
    return made


def _number(shown: Panel) -> stat.Panel:
    steps = [Threshold(None, "green"), Threshold(shown.alarm, "red")]
    made = stat.Panel().title(shown.title).description(shown.description).unit(shown.unit).datasource(SOURCE)
    limits = dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)
    return made.thresholds(limits).with_target(_target(shown.queries[0], "A"))


def _target(query: Query, name: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().ref_id(name).expr(query.expr).legend_format(query.legend).datasource(SOURCE)


def text() -> str:
    """The file's content."""
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(build().build()) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
