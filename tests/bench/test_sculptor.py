"""The benchmark of designed voices at toy size: every section has its figures, and they are what they are called."""

from __future__ import annotations

import psutil
import pytest
from typer.testing import CliRunner

from bench.run import app
from bench.sculptor import inputs, llasa, runner, served, stages, tokens
from bench.sculptor.inputs import Piece
from bench.sculptor.setting import SculptorSetting
from bench.setting import Skipped

ROLES = {"flow", "hift", "xcodec2"}


@pytest.fixture
def setting(designed, tmp_path):
    """A quick run with the voice that there is."""
    return SculptorSetting(designed.repository, "cpu", True, ("small",), tmp_path / "work", {"small": designed})


def test_a_row_alone_is_what_it_is_in_a_batch_without_its_padding():
    pieces = (Piece(6, 9), Piece(3, 4))
    together = inputs.flow(pieces)
    alone = inputs.alone(together, 1, pieces[1])
    assert alone["tokens"].shape == (1, 7)
    assert alone["prompt_mel"].shape == (1, 6, 80)
    assert alone["positions"].tolist() == [list(range(6, 14))]
    assert (together["positions"][1, 8:] == -1).all()
    assert (together["tokens"][1, :7] == alone["tokens"]).all()


def test_stages_are_timed_against_their_modules_and_are_exact_in_batches(setting):
    found = stages.measure(setting)
    assert {row["stage"] for row in found["rows"]} == {row["stage"] for row in found["memory"]} == ROLES
    assert all(seconds > 0 for row in found["rows"] for seconds in row["seconds"].values())
    ((name, errors),) = ((row["size"], row["largest_difference"]) for row in found["exactness"])
    assert name == "small"
    assert set(errors) == ROLES
    assert max(errors.values()) < 1e-4
    assert all(row["loaded_mib"] > 0 for row in found["memory"])
    assert "| small | flow | 1 |" in stages.show(found)


def test_language_models_are_timed_against_their_modules_and_are_exact_in_batches(setting):
    found = tokens.measure(setting)
    assert {(row["model"], row["batch"]) for row in found["rows"]} == {(m, b) for m in ("lm", "llasa") for b in (1, 2)}
    assert all(row["runner_codes_per_second"] > 0 and row["eager_codes_per_second"] > 0 for row in found["rows"])
    assert all(row["largest_difference"] < 1e-4 for row in found["exactness"])
    assert "| small | llasa | 2 |" in tokens.show(found)


def test_the_eager_module_writes_what_it_keeps_where_its_rows_end(designed):
    module = runner.Eager(designed.language_model("lm"), rows=2, length=5, codes=3)
    for _ in range(3):
        module.step()
    assert module.lengths.tolist() == [[8], [8]]
    written = module.keys.abs().sum((0, 1, 2, 4)) > 0
    assert written.tolist() == [False] * 5 + [True] * 3 + [False] * (module.keys.shape[3] - 8)


def test_a_style_that_comes_again_is_not_designed_again(setting):
    found = served.measure(setting)
    first, again = found["styles"]["first"], found["styles"]["again"]
    assert first["designs"] >= 2
    assert again["from_cache"] >= 2
    assert [row["clients"] for row in found["loads"]] == [1, 2, 4]
    assert all(row["refused"] == 0 and row["real_time_factor"] > 0 for row in found["loads"])
    assert {"lily_lm_0_0", "lily_flow_0_0", "lily_style_0_0"} <= {row["process"] for row in found["memory"]}
    assert "First ÷ again" in served.show(found)


def test_the_largest_model_is_left_out_where_memory_is_short(setting, monkeypatch):
    with pytest.raises(Skipped, match="only the small size was asked for"):
        llasa.measure(setting)
    free = psutil.virtual_memory()._replace(available=2 << 30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(Skipped, match="2 GiB of memory are free, 15 are needed"):
        llasa.measure(SculptorSetting(setting.repository, sizes=("full",)))


@pytest.mark.parametrize("wrong", [["--size", "huge"], ["--only", "everything"]])
def test_a_wrong_argument_is_told_before_anything_is_done(wrong):
    assert CliRunner().invoke(app, ["sculptor", *wrong]).exit_code == 2
