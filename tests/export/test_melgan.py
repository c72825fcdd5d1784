"""MelGAN as it was trained and as it is served: the same samples for every size and variant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from export.checkpoint_files import read_checkpoint, read_yaml, tensors
from export.errors import CheckpointError
from export.families.fastspeech2.checkpoint import load
from export.vocoders.flat import SubPixelUpsample
from export.vocoders.melgan import MelGAN, MelGANConfig
from export.vocoders.melgan_layouts import descriptinc_melgan, parallelwavegan_melgan
from export.vocoders.melgan_served import ServedMelGAN
from export.vocoders.pqmf import designed


@st.composite
def configs(draw):
    causal = draw(st.booleans())
    subbands = draw(st.sampled_from([1, 2, 4]))
    scales = tuple(draw(st.lists(st.integers(2, 5), min_size=1, max_size=3)))
    return MelGANConfig(
        bands=3,
        channels=tuple(draw(st.integers(1, 6)) for _ in range(len(scales) + 1)),
        scales=scales,
        kernel=draw(st.integers(2, 8)) if causal else draw(st.sampled_from([1, 3, 7])),
        stacks=draw(st.integers(1, 2)),
        stack_kernel=draw(st.integers(2, 4)) if causal else draw(st.sampled_from([3, 5])),
        subbands=subbands,
        taps=draw(st.sampled_from([9, 25, 63])) if subbands > 1 else 0,
        slope=draw(st.floats(0.05, 0.3)),
        padding=draw(st.sampled_from(["reflect", "replicate", "constant"])),
        bias=draw(st.booleans()),
        tanh=draw(st.booleans()),
        causal=causal,
        odd_right=draw(st.booleans()),
    )


def random_generator(config):
    torch.manual_seed(0)
    return MelGAN(config).eval().requires_grad_(False)


def audio(module, mel):
    with torch.no_grad():
        return module.double()(mel.double())


@settings(deadline=None, max_examples=40)
@given(configs(), st.integers(16, 24))
def test_the_served_form_computes_what_the_trained_one_does(config, frames):
    generator = random_generator(config)
    served = ServedMelGAN(generator)
    mel = torch.randn(2, frames, config.bands, generator=torch.Generator().manual_seed(frames))
    expected = audio(generator, mel)
    assert expected.shape == (2, frames * config.hop_length)
    # The filter bank's polyphase form is made in float32.
    assert (audio(served, mel) - expected).abs().max() < 1e-6


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 9), st.integers(1, 6), st.integers(1, 12))
def test_a_transposed_convolution_of_any_kernel_and_stride_is_a_sub_pixel_convolution(data, kernel, stride, frames):
    kernel = max(kernel, stride)
    crop = data.draw(st.integers(0, kernel - stride))
    torch.manual_seed(kernel)
    source = nn.ConvTranspose1d(2, 3, kernel, stride=stride).double().requires_grad_(False)
    flat = SubPixelUpsample(source.weight, source.bias, stride, crop).double()
    x = torch.randn(1, 2, frames, dtype=torch.float64)
    expected = source(x)[..., crop : crop + stride * frames]
    assert torch.allclose(flat(x.unsqueeze(2)).squeeze(2), expected, atol=1e-12)


def test_a_causal_generator_hears_nothing_of_later_frames():
    config = MelGANConfig(3, (8, 4), (4,), kernel=7, stacks=2, causal=True)
    generator = random_generator(config)
    mel = torch.randn(1, 30, 3)
    changed = mel.clone()
    changed[:, 20:] += 1
    before, after = audio(generator, mel), audio(generator, changed)
    assert torch.equal(before[:, : 20 * 4], after[:, : 20 * 4])
    assert not torch.equal(before[:, 20 * 4 :], after[:, 20 * 4 :])


def test_the_filter_bank_by_the_default_parameters_is_the_one_in_the_demo_voice(checkpoint):
    bank = load(checkpoint).vocoder.synthesis
    made = designed(4, order=62, cutoff=0.142, beta=9.0)
    assert torch.equal(made.filter.weight, bank.filter.weight)
    assert torch.equal(made.upsample.weight, bank.upsample.weight)


@pytest.fixture
def pwg(data) -> tuple[dict, dict]:
    folder = data / "vocoders" / "pwg_causal"
    path = folder / "checkpoint-3steps.pkl"
    return read_yaml(folder / "config.yml"), tensors(read_checkpoint(path), "model", "generator", path=path)


@pytest.fixture
def descriptinc(data) -> dict:
    path: Path = data / "vocoders" / "melgan" / "multi_speaker.pt"
    return tensors(read_checkpoint(path), path=path)


def test_sizes_are_those_of_the_tensors(pwg, descriptinc):
    config = descriptinc_melgan(descriptinc).config
    assert (config.bands, config.channels) == (80, (128, 64, 32, 16, 8))
    assert (config.scales, config.stacks, config.hop_length) == ((8, 8, 2, 2), 3, 256)
    config = parallelwavegan_melgan(*pwg).config
    assert (config.bands, config.channels, config.scales) == (8, (16, 8, 4), (3, 2))
    assert (config.subbands, config.taps, config.hop_length) == (3, 25, 18)
    assert (config.causal, config.bias, config.kernel) == (True, False, 6)


def test_a_new_name_of_the_weight_normalisation_is_the_same_checkpoint(descriptinc):
    new = {
        name.replace("weight_g", "parametrizations.weight.original0").replace(
            "weight_v", "parametrizations.weight.original1"
        ): value
        for name, value in descriptinc.items()
    }
    mel = torch.randn(1, 20, 80)
    assert torch.equal(audio(descriptinc_melgan(new), mel), audio(descriptinc_melgan(descriptinc), mel))


def test_a_tensor_that_is_missing_left_over_or_reshaped_is_named(descriptinc):
    without = {name: value for name, value in descriptinc.items() if name != "model.4.block.4.bias"}
    with pytest.raises(CheckpointError, match=r"missing: model\.4\.block\.4\.bias"):
        descriptinc_melgan(without)
    with pytest.raises(CheckpointError, match=r"unexpected: model\.99\.bias"):
        descriptinc_melgan(descriptinc | {"model.99.bias": torch.zeros(3)})
    with pytest.raises(CheckpointError, match=r"model\.8\.bias \[5\] instead of \[32\]"):
        descriptinc_melgan(descriptinc | {"model.8.bias": torch.zeros(5)})


def test_the_tensors_of_another_network_are_refused(descriptinc):
    with pytest.raises(CheckpointError, match="no MelGAN: it has 0 convolutions"):
        descriptinc_melgan({"conv_pre.weight": torch.zeros(4, 4, 7)})
    with pytest.raises(CheckpointError, match="no residual stack"):
        descriptinc_melgan({name: value for name, value in descriptinc.items() if "block" not in name})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"in_channels": 80}, "in_channels is 80 in the vocoder's config, but 8 is that of the tensors"),
        ({"upsample_scales": [2, 3]}, r"upsample_scales is \[2, 3\].*\[3, 2\]"),
        ({"stacks": 3}, "stacks is 3"),
        ({"pad": "ZeroPad2d"}, "pad ZeroPad2d with"),
        ({"pad": "ConstantPad1d", "pad_params": {"value": 1.0}}, "pad ConstantPad1d with"),
        ({"nonlinear_activation": "ReLU"}, "must be a LeakyReLU"),
        ({"use_causal_conv": "yes"}, "use_causal_conv of the vocoder's config must be true or false"),
    ],
)
def test_a_config_that_contradicts_the_tensors_is_refused(pwg, params, message):
    config, state = pwg
    with pytest.raises(CheckpointError, match=message):
        parallelwavegan_melgan(config | {"generator_params": config["generator_params"] | params}, state)


@pytest.mark.parametrize("params", [{"taps": 23}, {"cutoff_ratio": 1.5}, {"beta": "wide"}, {"taps": 10**9}, [1]])
def test_a_filter_bank_that_cannot_be_is_refused(pwg, params):
    config, state = pwg
    with pytest.raises(CheckpointError, match=r"filter bank|taps|pqmf_params"):
        parallelwavegan_melgan(config | {"pqmf_params": params}, state)


@pytest.mark.parametrize(
    ("config", "cutoff"),
    [
        ({"version": "0.4.2"}, 0.15),
        ({}, 0.15),
        ({"version": "0.4.3"}, 0.142),
        ({"version": "0.5.4.post1"}, 0.142),
        ({"pqmf_params": {}}, 0.142),
    ],
)
def test_the_default_filter_bank_is_that_of_the_version_that_trained_it(pwg, config, cutoff):
    full, state = pwg
    rest = {key: value for key, value in full.items() if key != "pqmf_params"}
    bank = parallelwavegan_melgan(rest | config, state).synthesis
    assert torch.equal(bank.filter.weight, designed(3, order=62, cutoff=cutoff, beta=9.0).filter.weight)


def test_the_filter_bank_keeps_the_power_of_a_band():
    bank = designed(4, order=62, cutoff=0.142, beta=9.0)
    tone = torch.zeros(1, 4, 400)
    tone[:, 0] = torch.from_numpy(np.sin(np.arange(400) * 0.6)).float()
    with torch.no_grad():
        signal = bank(tone)[0, 0, 200:-200]
    assert signal.square().mean().item() == pytest.approx(0.5, rel=0.05)
