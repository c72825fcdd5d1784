"""The capacity page says what the figures say, and its arithmetic holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench import capacity, run
from bench.capacity import Server, Terms

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """Where scripts/bench goes to."""
    monkeypatch.chdir(DOCS.parent)


def test_the_page_has_the_tables_that_the_command_makes():
    page = (DOCS / "capacity.md").read_text("utf-8")
    assert capacity.put(page, capacity.tables(DOCS / "benchmarks", Terms())) == page


def test_a_server_is_counted_at_a_load_at_which_nobody_waits_for_long():
    for server in capacity.measured(DOCS / "benchmarks"):
        assert server.first_audio < capacity.PATIENCE
        assert server.audio_rate > 10


def test_an_hour_of_audio_costs_an_hour_of_what_speaks_it():
    server = Server("cpu", "balanced", cores=2, audio_rate=50.0)
    assert server.price(Terms(core_price=0.05)) == pytest.approx(0.10)
    assert server.audio_hour(Terms(core_price=0.05, share=0.5)) == pytest.approx(0.10 / 25)
    with_card = Server("a card", "any", cores=16, audio_rate=1000.0, cards=1)
    assert with_card.price(Terms(core_price=0.05, card_price=2.0)) == pytest.approx(2.8)


def test_a_million_hours_a_day_are_forty_thousand_times_real_time():
    # 1,000,000 h × 3600 s in 86,400 s are 41,667 seconds of audio in each second.
    server = Server("cpu", "balanced", cores=2, audio_rate=41_667.0)
    assert server.fleet(1_000_000, Terms(share=1.0)) == 1
    assert server.fleet(1_000_100, Terms(share=1.0)) == 2
    assert server.fleet(1_000_000, Terms(share=0.5), times=3.0) == 6


@given(st.floats(0.1, 1e7), st.floats(1.0, 1e4), st.floats(0.05, 1.0), st.floats(1.0, 5.0))
def test_a_fleet_is_large_enough_and_has_none_too_many(hours, rate, share, times):
    server, terms = Server("cpu", "balanced", 2, rate), Terms(share=share)
    needed = hours / 24 * times
    count = server.fleet(hours, terms, times)
    assert count * rate * share >= needed * (1 - 1e-9)
    assert (count - 1) * rate * share < needed * (1 + 1e-9)


def test_a_card_is_bound_by_what_stays_on_the_processor():
    apart = capacity.around_the_stages(DOCS / "benchmarks")
    assert 0.001 < apart < 0.03
    one, two = (capacity.bound(DOCS / "benchmarks", Terms(card_cores=cores)).audio_rate for cores in (8, 16))
    assert two == pytest.approx(2 * one)
    assert one == pytest.approx(8 / apart)


def test_the_reader_has_prices_of_his_own(tmp_path):
    page = tmp_path / "capacity.md"
    page.write_text(f"before\n{capacity.BEGIN}\nold\n{capacity.END}\nafter\n", "utf-8")
    assert CliRunner().invoke(run.app, ["capacity", "--core-price", "0.5", "--page", str(page)]).exit_code == 0
    text = page.read_text("utf-8")
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "0.5 an hour for a core" in text
    assert "old" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--share", "0"),
        ("--share", "1.1"),
        ("--peak", "0.5"),
        ("--core-price", "-1"),
        ("--card-price", "nan"),
        ("--card-cores", "0"),
        ("--page", "README.md"),
        ("--page", "no/such.md"),
    ],
)
def test_what_cannot_be_is_one_line(arguments):
    result = CliRunner().invoke(run.app, ["capacity", *arguments])
    assert result.exit_code == 2
    assert result.output.startswith("error: ")
    assert result.output.count("\n") == 1
