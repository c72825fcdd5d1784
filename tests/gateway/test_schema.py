"""The gateway is what its own schema says, whatever is sent to it: schemathesis makes the requests."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
import schemathesis
from gateway.process import Gateway
from schemathesis import engine
from schemathesis.engine import events

EXAMPLES = 12
# Of a request that does not fit the schema because it is too large, the size is told.
REFUSALS = [400, 401, 404, 405, 413, 415]


@dataclass
class Found:
    """What was asked: statuses by route, how many cases, and what of the answers was wrong."""

    statuses: dict[str, Counter[int]] = field(default_factory=dict)
    cases: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, scenario: events.ScenarioFinished) -> None:
        recorder = scenario.recorder
        self.cases += len(recorder.cases)
        for interaction in recorder.interactions.values():
            if interaction.response is not None:
                self.statuses.setdefault(scenario.label, Counter())[interaction.response.status_code] += 1
        for case, checks in recorder.checks.items():
            for check in checks:
                if check.failure_info is not None:
                    asked = recorder.cases[case].value.as_curl_command()
                    self.wrong.append(f"{check.name}: {check.failure_info.failure.message}\n{asked}")


@pytest.fixture(scope="module")
def found(gateway: Gateway) -> Found:
    """One run over all routes: what is at the edge of the schema, and what is drawn at random."""
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    config = schema.config
    config.seed = 0
    config.request_timeout = 60
    config.generation.deterministic = config.generation.no_shrink = True
    config.generation.max_examples = EXAMPLES
    config.generation.database = "none"
    # That whatever fits the schema is accepted cannot be asked for: no schema says which texts have nothing to say.
    config.checks.positive_data_acceptance.enabled = False
    config.checks.negative_data_rejection.expected_statuses = REFUSALS
    made = Found()
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            made.add(event)
        elif isinstance(event, (events.NonFatalError, events.FatalError)):
            made.wrong.append(str(event))
    return made


def test_no_answer_contradicts_the_schema(found: Found) -> None:
    assert found.wrong == [], "\n\n".join(found.wrong)


def test_every_route_was_asked_rightly_and_wrongly(found: Found) -> None:
    print(f"{found.cases} cases: {found.statuses}")  # shown by -s
    routes = {label for label in found.statuses if label.startswith("POST")}
    assert routes == {
        "POST /v1/audio/captions",
        "POST /v1/audio/speech",
        "POST /v1/phonemes",
        "POST /v1/phonemes/speech",
    }
    for route in routes:
        assert found.statuses[route][200] >= 1, route
        assert found.statuses[route][400] >= EXAMPLES, route
    assert found.cases >= 300
