"""HiFi-GAN as it was trained and as it is served: the same samples for every size and variant."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hifigans import configs, in_double, random_generator, random_mel
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from export.onnx_export import export_stage
from export.vocoders.context import context
from export.vocoders.hifigan import HiFiGANConfig, Upsample
from export.vocoders.hifigan_served import ServedHiFiGAN, sub_pixel
from export.vocoders.kantts_verify import verification_stage

# KAN-TTS's at 48 kHz, but for the channels.
FIVE_STAGES = HiFiGANConfig(
    bands=5,
    channels=(33, 17, 16, 7, 3, 2),
    kernel=7,
    scales=(10, 5, 3, 2, 2),
    upsample_kernels=(20, 10, 6, 4, 4),
    crops=(0,) * 5,
    block_kernels=(3, 7, 11),
    block_dilations=((1, 3, 5, 7),) * 3,
    slope=0.1,
    causal=True,
    periodic=True,
)


@settings(deadline=None, max_examples=60)
@given(configs(), st.integers(1, 9))
def test_the_served_form_computes_what_the_trained_one_does(config, frames):
    generator = random_generator(config)
    served = ServedHiFiGAN(generator)
    mel = random_mel(2, frames, config.bands)
    expected = in_double(generator, mel)
    assert expected.shape == (2, frames * config.hop_length)
    # The two convolutions of KAN-TTS's upsampling are added up in float32.
    assert (in_double(served, mel) - expected).abs().max() < 1e-6


def test_five_stages_at_48_khz_are_served():
    generator = random_generator(FIVE_STAGES)
    served = ServedHiFiGAN(generator)
    mel = random_mel(1, 4, FIVE_STAGES.bands)
    expected = in_double(generator, mel)
    assert expected.shape == (1, 4 * 600)
    assert (in_double(served, mel) - expected).abs().max() < 1e-6


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 6), st.integers(0, 9), st.integers(1, 7))
def test_an_upsampling_is_what_pytorch_computes_with_padding_and_output_padding(scale, surplus, frames):
    kernel = scale + surplus
    padding, output_padding = (surplus + 1) // 2, surplus % 2
    config = HiFiGANConfig(2, (4, 3), 1, (scale,), (kernel,), (padding,), (), (), 0.1)
    torch.manual_seed(scale)
    layer = Upsample(config, 0).double().requires_grad_(False)
    x = torch.randn(2, 4, frames, dtype=torch.float64)
    if output_padding < max(scale, 1):
        weight, bias = layer.transposed.weight, layer.transposed.bias
        expected = F.conv_transpose1d(x, weight, bias, scale, padding, output_padding)
        assert (layer(x) - expected).abs().max() < 1e-12
    assert (sub_pixel(layer).double()(x.unsqueeze(2)).squeeze(2) - layer(x)).abs().max() < 1e-6


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 7), st.integers(0, 8), st.sampled_from([1, 3, 7, 9]), st.booleans(), st.integers(1, 7))
def test_transposed_and_repeated_convolution_are_one_convolution(scale, surplus, kernel, causal, frames):
    crop = 0 if causal else surplus // 2
    config = HiFiGANConfig(2, (4, 3), kernel, (scale,), (scale + surplus,), (crop,), (), (), 0.1, causal=causal)
    torch.manual_seed(kernel)
    layer = Upsample(replace(config, periodic=True), 0).requires_grad_(False)
    flat = sub_pixel(layer)
    x = torch.randn(2, 4, frames)
    assert (in_double(flat, x.unsqueeze(2)).squeeze(2) - in_double(layer, x)).abs().max() < 1e-6


@settings(deadline=None, max_examples=20)
@given(configs())
def test_frames_out_of_context_do_not_change_a_sample_and_those_at_its_edges_do(config):
    generator = random_generator(config)
    lead, tail = context(ServedHiFiGAN(generator), config.bands, config.hop_length)
    assert (lead, tail) == context(generator, config.bands, config.hop_length)
    if config.causal:
        assert tail == 1
    middle, frames = lead + 1, lead + tail + 3
    mel = random_mel(1, frames, config.bands)
    expected = in_double(generator, mel).reshape(frames, -1)[middle]
    outside = mel.clone()
    outside[:, [0, -1]] += 1e12
    assert torch.equal(in_double(generator, outside).reshape(frames, -1)[middle], expected)
    for edge in (1,) * (lead > 1) + (frames - 2,) * (tail > 1):
        inside = mel.clone()
        # So much that it is not lost beside the rest.
        inside[:, edge] += 1e12
        assert not torch.equal(in_double(generator, inside).reshape(frames, -1)[middle], expected)


def test_a_causal_generator_hears_no_later_frame():
    generator = random_generator(FIVE_STAGES)
    mel = random_mel(1, 6, FIVE_STAGES.bands)
    changed = mel.clone()
    changed[:, 3:] += 1
    hop = FIVE_STAGES.hop_length
    before, after = in_double(generator, mel), in_double(generator, changed)
    assert torch.equal(before[:, : 3 * hop], after[:, : 3 * hop])
    assert not torch.equal(before[:, 3 * hop :], after[:, 3 * hop :])


@pytest.mark.parametrize("harmonics", [0, 3])
def test_the_exported_graph_is_the_module_at_other_lengths_and_batches(harmonics, tmp_path):
    config = HiFiGANConfig(
        bands=4,
        channels=(16, 16, 5),
        kernel=7,
        scales=(4, 2),
        upsample_kernels=(9, 4),
        crops=(2, 1),
        block_kernels=(3, 5),
        block_dilations=((1, 3), (1, 3)),
        slope=0.1,
        periodic=True,
        harmonics=harmonics,
        sample_rate=8000 if harmonics else 0,
    )
    stage = verification_stage(random_generator(config), "hifigan")
    # Raises where they differ by more than 1e-4.
    assert export_stage(stage, tmp_path).largest_error < 1e-5
