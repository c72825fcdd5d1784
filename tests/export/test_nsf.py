"""The harmonic source: upstream's excitation, counted from the clause's start wherever a window begins."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
import torch
from hifigans import configs, in_double, random_generator, random_mel
from hypothesis import given, settings
from hypothesis import strategies as st

from export.checkpoint_files import read_checkpoint, read_yaml, tensors
from export.errors import CheckpointError
from export.verify import export_chain, read_reference
from export.vocoders.context import context
from export.vocoders.hifigan_served import ServedHiFiGAN
from export.vocoders.kantts_hifigan import kantts_generator
from export.vocoders.kantts_verify import verification_stage, verify_generator
from export.vocoders.nsf import NOISE_FRAMES, PHASE_UNIT, ConstantSource, F0Scale, HarmonicSource, SourceTrack

RATE, HOP = 16000, 200


def pitch(frames, seed=0):
    """f0 in Hz between 60 and 700, and voicing [1, frames, 2]."""
    draws = torch.Generator().manual_seed(seed)
    f0 = 60 + 640 * torch.rand(1, frames, 1, generator=draws)
    return torch.cat([f0, (torch.rand(1, frames, 1, generator=draws) > 0.3).float()], dim=2)


def test_f0_is_scaled_to_hz_and_never_below_30_hz_and_voicing_begins_at_0_6():
    f0, voiced = F0Scale(50.0, 200.0).voicing(torch.tensor([[1.0, 0.59], [-2.0, 0.6], [-4.0, 0.7]]))
    assert f0.tolist() == [250.0, 100.0, 30.0]
    assert voiced.tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize("rate_and_hop", [(16000, 200), (24000, 240), (48000, 600)])
def test_after_1300_frames_the_phase_is_still_exact_in_float32(rate_and_hop):
    rate, hop = rate_and_hop
    mel = pitch(1300)
    tracked = SourceTrack(F0Scale(), rate, hop)(mel)
    assert torch.equal(tracked[..., :2], mel)
    steps = mel[0, :, 0].double() * hop / rate
    expected = (steps.cumsum(0) - steps) % 1
    off = (tracked[0, :, 2].double() * PHASE_UNIT - expected + 0.5) % 1 - 0.5
    assert off.abs().max() < 1e-7
    assert tracked[0, :, 3].tolist() == [frame % NOISE_FRAMES for frame in range(1300)]


def test_the_excitation_is_that_of_sines_whose_phases_were_added_up_sample_by_sample():
    frames, harmonics = 30, 8
    torch.manual_seed(1)
    source = HarmonicSource(harmonics, RATE, HOP).double().requires_grad_(False)
    tracked = SourceTrack(F0Scale(), RATE, HOP)(pitch(frames).double())
    phases = (2 * torch.rand(1, harmonics, dtype=torch.float64) - 1) * pi
    noise = torch.randn(1, frames, harmonics, HOP, dtype=torch.float64)
    f0, voiced = F0Scale().voicing(tracked[..., :2])
    found = source(f0, voiced, tracked[..., 2] * PHASE_UNIT, phases, source.hiss(noise))

    each = f0.repeat_interleave(HOP, 1)[:, None] * torch.arange(1, harmonics + 1)[:, None] / RATE
    sines = 0.1 * torch.sin(2 * pi * each.cumsum(2) + phases[:, :, None])
    drawn = 0.003 * noise.transpose(1, 2).flatten(2)
    on = voiced.repeat_interleave(HOP, 1)[:, None]
    expected = torch.tanh(source.mixture(on * (sines + drawn) + (1 - on) * 0.1 / 3 / 0.003 * drawn))
    assert (found - expected[:, 0]).abs().max() < 1e-9


@settings(deadline=None, max_examples=15)
@given(configs(harmonics=3), st.integers(1, 60))
def test_windows_with_their_context_join_to_the_samples_of_the_whole_clause(config, size):
    generator = random_generator(config)
    scale = F0Scale(60.0, 180.0)
    # More frames than there is noise for, so that it repeats in between.
    frames, hop = NOISE_FRAMES + 20, config.hop_length
    mel = random_mel(1, frames, config.bands + 2)
    tracked = SourceTrack(scale, config.sample_rate, hop)(mel)
    vocoder = ConstantSource(ServedHiFiGAN(generator), generator.source, scale)
    lead, tail = context(vocoder, config.bands + 4, hop)
    whole = in_double(vocoder, tracked)
    assert whole.shape == (1, frames * hop)
    for begin in range(0, frames, size):
        end = min(begin + size, frames)
        first = max(begin - lead, 0)
        window = in_double(vocoder, tracked[:, first : min(end + tail, frames)])
        middle = window[:, (begin - first) * hop : (end - first) * hop]
        assert (middle - whole[:, begin * hop : end * hop]).abs().max() < 1e-9


def test_a_voice_with_a_source_sounds_as_upstream_with_the_phases_and_noise_that_it_drew(data, tmp_path):
    folder = data / "sambert" / "nsf16k" / "voices" / "F7" / "voc"
    path = folder / "ckpt" / "checkpoint_200.pth"
    params = read_yaml(folder / "config.yaml")["Model"]["Generator"]["params"]
    generator = kantts_generator(params, tensors(read_checkpoint(path), "model", "generator", path=path))
    expected = read_reference(data / "sambert" / "nsf16k" / "reference_beijing.npz")
    ((stage, graph),) = export_chain([verification_stage(generator, "hifigan")], tmp_path).chain
    rows = verify_generator(stage, graph, expected, 1e-4)
    assert [row.array for row in rows] == ["wav", "wav in a batch"]
    assert all(row.module_error < 1e-5 and row.onnx_error < 1e-5 for row in rows)
    with pytest.raises(CheckpointError, match="voc_in of the reference is"):
        verify_generator(stage, graph, expected | {"voc_in": expected["voc_in"][:, :-2]}, 1e-4)
    with pytest.raises(CheckpointError, match="lacks wav"):
        verify_generator(stage, graph, {"voc_in": expected["voc_in"]}, 1e-4)


def test_f0_and_voicing_of_the_reference_are_those_of_its_statistics(data):
    mean, deviation = np.load(data / "sambert" / "nsf16k" / "voices" / "F7" / "am" / "mvn.npy").flatten()
    expected = read_reference(data / "sambert" / "nsf16k" / "reference_beijing.npz")
    frames = len(expected["voc_in"])
    f0, voiced = F0Scale(float(deviation), float(mean)).voicing(torch.from_numpy(expected["post"][0, :frames, -2:]))
    assert np.abs(f0.numpy() - expected["voc_in"][:, -2]).max() < 1e-3
    assert np.array_equal(voiced.numpy(), expected["voc_in"][:, -1])
