"""HiFi-GAN checkpoints of every layout give the generator that was trained, or an error that names what is wrong."""

from __future__ import annotations

import pytest
import torch
from hifigans import in_double, random_generator, random_mel

from export.checkpoint_files import read_checkpoint, read_json, read_yaml, tensors
from export.errors import CheckpointError
from export.verify import read_reference
from export.vocoders.hifigan import HiFiGANConfig
from export.vocoders.hifigan_layouts import jik876_generator, parallelwavegan_hifigan
from export.vocoders.hifigan_served import ServedHiFiGAN
from export.vocoders.kantts_hifigan import kantts_generator

SIZES = {
    "bands": 5,
    "channels": (12, 6, 3),
    "kernel": 7,
    "scales": (3, 2),
    "block_kernels": (3, 5),
    "block_dilations": ((1, 2), (1, 4)),
    "slope": 0.1,
}
LEAKY = {"nonlinear_activation": "LeakyReLU", "nonlinear_activation_params": {"negative_slope": 0.1}}
JIK876 = {
    "resblock": "1",
    "upsample_rates": [3, 2],
    "upsample_kernel_sizes": [7, 4],
    "upsample_initial_channel": 12,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [1, 4]],
    "num_mels": 5,
}
PARALLELWAVEGAN = {
    "in_channels": 5,
    "out_channels": 1,
    "channels": 12,
    "kernel_size": 7,
    "upsample_scales": [3, 2],
    "upsample_kernel_sizes": [6, 4],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilations": [[1, 2], [1, 4]],
    "use_additional_convs": True,
    "bias": True,
    **LEAKY,
}
KANTTS = {**PARALLELWAVEGAN, "upsample_kernal_sizes": [6, 4], "causal": True}
SOURCE = {"nb_harmonics": 2, "sampling_rate": 8000}


def kernels(*sizes, crops):
    return {**SIZES, "upsample_kernels": sizes, "crops": crops}


# Loader, its config, the generator that it describes, and how the file calls that one's layers.
LAYOUTS = {
    "jik876": (
        jik876_generator,
        JIK876,
        HiFiGANConfig(**kernels(7, 4, crops=(2, 1))),
        "conv_pre ups.{} resblocks.{}.convs1.{} resblocks.{}.convs2.{} conv_post",
    ),
    "jik876 single": (
        jik876_generator,
        JIK876 | {"resblock": "2"},
        HiFiGANConfig(**kernels(7, 4, crops=(2, 1)), paired=False),
        "conv_pre ups.{} resblocks.{}.convs.{} - conv_post",
    ),
    "ParallelWaveGAN": (
        parallelwavegan_hifigan,
        PARALLELWAVEGAN,
        HiFiGANConfig(**kernels(6, 4, crops=(2, 1))),
        "input_conv upsamples.{}.1 blocks.{}.convs1.{}.1 blocks.{}.convs2.{}.1 output_conv.1",
    ),
    "ParallelWaveGAN single": (
        parallelwavegan_hifigan,
        PARALLELWAVEGAN | {"use_additional_convs": False, "bias": False},
        HiFiGANConfig(**kernels(6, 4, crops=(2, 1)), paired=False, bias=False, block_bias=False),
        "input_conv upsamples.{}.1 blocks.{}.convs1.{}.1 - output_conv.1",
    ),
    "ParallelWaveGAN causal": (
        parallelwavegan_hifigan,
        PARALLELWAVEGAN | {"use_causal_conv": True},
        HiFiGANConfig(**kernels(6, 4, crops=(3, 2)), causal=True, replicated=1),
        "input_conv.conv upsamples.{}.1.deconv blocks.{}.convs1.{}.1.conv blocks.{}.convs2.{}.1.conv "
        "output_conv.1.conv",
    ),
    "KAN-TTS": (
        kantts_generator,
        KANTTS,
        HiFiGANConfig(**kernels(6, 4, crops=(0, 0)), causal=True, periodic=True),
        "conv_pre.conv1d transpose_upsamples.{}.1.deconv conv_blocks.{}.convs1.{}.conv1d "
        "conv_blocks.{}.convs2.{}.conv1d conv_post.conv1d repeat_upsamples.{}.2.conv1d",
    ),
    "KAN-TTS with a source": (
        kantts_generator,
        KANTTS | {"causal": False, "nsf_params": SOURCE},
        HiFiGANConfig(**kernels(6, 4, crops=(1, 1)), periodic=True, harmonics=3, sample_rate=8000),
        "conv_pre.conv1d transpose_upsamples.{}.1.deconv conv_blocks.{}.convs1.{}.conv1d "
        "conv_blocks.{}.convs2.{}.conv1d conv_post.conv1d repeat_upsamples.{}.2.conv1d",
    ),
    "KAN-TTS, first release": (
        kantts_generator,
        JIK876,
        HiFiGANConfig(**kernels(7, 4, crops=(0, 0)), causal=True, periodic=True),
        "conv_pre.conv1d ups.{}.deconv resblocks.{}.convs1.{}.conv1d resblocks.{}.convs2.{}.conv1d "
        "conv_post.conv1d repeat_ups.{}.2.conv1d",
    ),
}


def state_of(generator, names):
    """The state dict of a file whose layers have these names; blocks are counted through all stages."""
    first, upsample, dilated, second, last, *repeated = names.split()
    layers = {first: generator.input, last: generator.output}
    for stage, layer in enumerate(generator.upsamples):
        layers[upsample.format(stage)] = layer.transposed
        layers |= {template.format(stage): layer.repeated for template in repeated}
    for number, block in enumerate(block for stage in generator.stages for block in stage):
        layers |= {dilated.format(number, i): layer for i, layer in enumerate(block.dilated)}
        layers |= {second.format(number, i): layer for i, layer in enumerate(block.second)}
    layers |= {f"source_downs.{stage}.conv1d": layer for stage, layer in enumerate(generator.sources)}
    if generator.source is not None:
        layers["source_module.ffn.0"] = generator.source.mixture
    return {f"{name}.{key}": value for name, layer in layers.items() for key, value in layer.state_dict().items()}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_checkpoint_gives_the_generator_that_was_saved(layout):
    loader, params, config, names = LAYOUTS[layout]
    saved = random_generator(config)
    loaded = loader(params, state_of(saved, names))
    assert loaded.config == config
    excitation = torch.rand(1, 4 * config.hop_length) if config.harmonics else None
    mel = random_mel(1, 4, config.bands)
    assert torch.equal(loaded(mel, excitation), saved(mel, excitation))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_missing_left_over_and_reshaped_tensors_are_named_as_in_the_file(layout):
    loader, params, config, names = LAYOUTS[layout]
    whole = state_of(random_generator(config), names)
    name = f"{names.split()[4]}.weight"
    with pytest.raises(CheckpointError, match=f"missing: {name}"):
        loader(params, {key: value for key, value in whole.items() if key != name})
    with pytest.raises(CheckpointError, match=r"unexpected: extra\.weight"):
        loader(params, whole | {"extra.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=rf"{name} \[1, 3, 6\] instead of \[1, 3, 7\]"):
        loader(params, whole | {name: whole[name][..., 1:].clone()})


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        ("jik876", {"upsample_initial_channel": 16}, "upsample_initial_channel is 16 .* but 12 is that of conv_pre"),
        ("jik876", {"num_mels": 80}, "num_mels is 80 .* but 5 is"),
        ("jik876", {"hop_size": 256}, "hop_size is 256 .* but 6 is the product of upsample_rates"),
        ("jik876", {"resblock": "3"}, 'resblock in the config is 3: only "1" and "2"'),
        ("jik876", {"upsample_kernel_sizes": [6, 4]}, "by 3 with a kernel of 6 gives a sample too many"),
        ("jik876", {"upsample_kernel_sizes": [7]}, "do not fit"),
        ("jik876", {"upsample_rates": [3, 1 << 40]}, "whole numbers from 1 to 4096"),
        ("jik876", {"upsample_rates": None}, "whole numbers from 1 to 4096"),
        ("jik876", {"resblock_kernel_sizes": [3, 4]}, "kernels must be odd"),
        ("jik876", {"resblock_dilation_sizes": [[1, 2]]}, "one list for each of resblock_kernel_sizes"),
        ("jik876", {"upsample_rates": [3, 2, 1], "upsample_kernel_sizes": [7, 4, 3]}, "cannot be halved"),
        ("jik876 single", {"resblock": "1"}, "missing: resblocks.0.convs1.0.weight"),
        ("ParallelWaveGAN", {"out_channels": 4}, "out_channels is 4 .* but 1 is the one channel"),
        ("ParallelWaveGAN causal", {"upsample_kernel_sizes": [7, 4]}, "by 3 must have a kernel of 6, not 7"),
        ("ParallelWaveGAN", {"use_causal_conv": True}, r"no input_conv\.conv\.weight"),
        ("ParallelWaveGAN", {"use_additional_convs": "yes"}, "must be true or false, not yes"),
        ("ParallelWaveGAN", {"nonlinear_activation": "ReLU"}, "must be a LeakyReLU with a slope, not ReLU"),
        ("KAN-TTS", {"repeat_upsample": False}, "repeat_upsample is false"),
        ("KAN-TTS", {"nsf_params": SOURCE}, "missing: source_"),
        ("KAN-TTS", {"nsf_params": {"nb_harmonics": 2}}, "has no sampling_rate"),
        ("KAN-TTS", {"nsf_params": SOURCE | {"sampling_rate": 0}}, "must be a rate in Hz, not 0"),
        ("KAN-TTS with a source", {"upsample_scales": [2, 3]}, "cannot be strided by odd numbers"),
        ("KAN-TTS with a source", {"nsf_params": None}, "unexpected: source_"),
    ],
)
def test_a_config_that_contradicts_its_checkpoint_or_itself_is_told(layout, changes, message):
    loader, params, config, names = LAYOUTS[layout]
    with pytest.raises(CheckpointError, match=message) as error:
        loader(params | changes, state_of(random_generator(config), names))
    assert len(str(error.value)) <= 300
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_setting_that_is_needed_is_asked_for_by_name(layout):
    loader, params, config, names = LAYOUTS[layout]
    state = state_of(random_generator(config), names)
    with pytest.raises(CheckpointError, match="the vocoder's config has no resblock_kernel_sizes"):
        loader({key: value for key, value in params.items() if key != "resblock_kernel_sizes"}, state)


def test_another_layouts_checkpoint_is_no_checkpoint_of_this_one():
    _, _, config, names = LAYOUTS["ParallelWaveGAN"]
    with pytest.raises(CheckpointError, match=r"no conv_pre\.weight of 3 axes"):
        jik876_generator(JIK876, state_of(random_generator(config), names))


def test_jik876s_reference_is_reproduced(data):
    folder = data / "vocoders" / "hifigan_resblock2"
    path = folder / "generator_v1"
    generator = jik876_generator(
        read_json(folder / "config.json"), tensors(read_checkpoint(path), "generator", path=path)
    )
    expected = read_reference(folder / "reference_17.npz")
    found = in_double(generator, torch.from_numpy(expected["mel"]).transpose(1, 2))
    assert (found - torch.from_numpy(expected["wav"])[:, 0]).abs().max() < 1e-6


def test_kan_ttss_causal_reference_is_reproduced(data):
    folder = data / "sambert" / "causal24k" / "voices" / "F7" / "voc"
    path = folder / "ckpt" / "checkpoint_200.pth"
    params = read_yaml(folder / "config.yaml")["Model"]["Generator"]["params"]
    generator = kantts_generator(params, tensors(read_checkpoint(path), "model", "generator", path=path))
    expected = read_reference(data / "sambert" / "causal24k" / "reference_happy_short.npz")
    served = ServedHiFiGAN(generator).requires_grad_(False)
    found = in_double(served, torch.from_numpy(expected["voc_in"])[None])
    assert (found - torch.from_numpy(expected["wav"])[:, 0]).abs().max() < 1e-5
