"""The modules and the exported graphs compute what the reference arrays hold, alone and in a batch."""

from __future__ import annotations

import numpy as np
import pytest

from export.errors import CheckpointError
from export.families.fastspeech2.checkpoint import load
from export.families.fastspeech2.stages import load_stages
from export.families.fastspeech2.verify import verify_fastspeech2
from export.inference import in_double, run_onnx
from export.verify import read_reference


@pytest.fixture(scope="module")
def chain(checkpoint):
    return {stage.spec.role: stage for stage in load_stages(load(checkpoint))}


@pytest.fixture(scope="module")
def served(repository, chain):
    """The stages with the graphs that the server loads."""
    return [(stage, repository / f"demo_{role}" / "1" / "model.onnx") for role, stage in chain.items()]


@pytest.mark.parametrize("number", [0, 1])
def test_every_stage_agrees_with_the_reference(served, data, number):
    rows = verify_fastspeech2(served, data / f"reference_{number}.npz", 1e-4, 5e-4)
    assert {row.stage for row in rows} == {"encoder", "decoder", "melgan", "end_to_end"}
    assert all(row.passed for row in rows), rows


def test_an_error_past_the_tolerance_fails(served, data):
    rows = verify_fastspeech2(served, data / "reference_0.npz", 1e-9, 1e-9)
    assert not all(row.passed for row in rows)


def test_a_reference_of_something_else_is_refused(served, tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, mel=np.zeros(3))
    with pytest.raises(CheckpointError, match="lacks durations"):
        verify_fastspeech2(served, path, 1e-4, 5e-4)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"not an archive"])
def test_a_damaged_reference_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot read reference"):
        read_reference(path)


def batch_and_alone(stage, inputs, lengths, axis_inputs):
    """Outputs of a padded batch and of each item cut to its own length."""
    together = in_double(stage, inputs)
    alone = []
    for i, length in enumerate(lengths):
        item = {k: v[i : i + 1, :length] if k in axis_inputs else v[i : i + 1] for k, v in inputs.items()}
        alone.append(in_double(stage, item))
    return together, alone


def test_an_item_of_a_padded_batch_is_encoded_as_alone(chain):
    stage = chain["encoder"]
    inputs = stage.sample(3, {"units": 60}, np.random.default_rng(1))
    lengths = [60, 17, 41]
    inputs["unit_lengths"] = np.array(lengths, dtype=np.int32)[:, None]
    together, alone = batch_and_alone(stage, inputs, lengths, {"units"})
    for i, length in enumerate(lengths):
        for name in ("hidden", "durations", "f0_contour", "energy_contour"):
            assert np.abs(together[name][i, :length] - alone[i][name][0]).max() < 1e-9
        assert not together["durations"][i, length:].any()


def test_an_item_of_a_padded_batch_is_decoded_as_alone_and_its_padding_repeats_the_last_frame(chain):
    stage = chain["decoder"]
    inputs = stage.sample(3, {"units": 40, "frames": 200}, np.random.default_rng(2))
    lengths = [200, 70, 133]
    inputs["frame_lengths"] = np.array(lengths, dtype=np.int32)[:, None]
    together, alone = batch_and_alone(stage, inputs, lengths, {"alignment"})
    for i, length in enumerate(lengths):
        assert np.abs(together["mel"][i, :length] - alone[i]["mel"][0]).max() < 1e-9
        assert (together["mel"][i, length:] == together["mel"][i, length - 1]).all()


def test_a_tail_of_24_repeated_frames_makes_the_vocoder_independent_of_the_padding(chain):
    stage = chain["melgan"]
    mel = np.random.default_rng(3).standard_normal((1, 90, 80)).astype(np.float32)

    def spoken(tail):
        padded = np.concatenate([mel, np.repeat(mel[:, -1:], tail, axis=1)], axis=1)
        return in_double(stage, {"mel": padded})["audio"][0, : 90 * 300]

    assert np.abs(spoken(24) - spoken(150)).max() < 3e-5
    assert np.abs(spoken(0) - spoken(150)).max() > 1e-3


@pytest.mark.parametrize("role", ["encoder", "decoder", "melgan"])
@pytest.mark.parametrize(("batch", "units", "frames"), [(1, 16, 64), (5, 33, 100), (2, 128, 700)])
def test_the_served_graph_equals_the_module_at_shapes_it_was_not_traced_with(
    repository, chain, role, batch, units, frames
):
    stage = chain[role]
    inputs = stage.sample(batch, {"units": units, "frames": frames}, np.random.default_rng(units))
    expected = in_double(stage, inputs)
    actual = run_onnx(repository / f"demo_{role}" / "1" / "model.onnx", inputs)
    for name, value in expected.items():
        assert np.abs(value - actual[name]).max() < 1e-4
