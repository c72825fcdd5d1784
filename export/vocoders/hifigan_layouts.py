"""Generators from the state dicts and configs of jik876's hifi-gan and of ParallelWaveGAN.

What a config and its checkpoint both tell must agree; what only one tells is taken from there, never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import Tensor, nn

from export.checkpoint_files import fuse_weight_norm
from export.errors import CheckpointError
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig, ResidualBlock, Upsample
from export.vocoders.named import load_named
from export.vocoders.settings import Params, agree, flag, leaky_slope, setting, whole_numbers


@dataclass(frozen=True)
class LayerNames:
    """What a checkpoint calls the layers: {} is the stage, or the block (counted through all stages) and its layer."""

    input: str
    upsample: str
    dilated: str
    second: str
    output: str
    repeated: str = ""

    def of(self, generator: HiFiGAN) -> dict[str, nn.Module]:
        """Every layer that the names speak of, by its name in the checkpoint."""
        layers: dict[str, nn.Module] = {self.input: generator.input, self.output: generator.output}
        for stage, upsample in enumerate(generator.upsamples):
            assert isinstance(upsample, Upsample)
            layers[self.upsample.format(stage)] = upsample.transposed
            if upsample.repeated is not None:
                layers[self.repeated.format(stage)] = upsample.repeated
        blocks = [block for block in generator.modules() if isinstance(block, ResidualBlock)]
        for number, block in enumerate(blocks):
            for template, convolutions in ((self.dilated, block.dilated), (self.second, block.second)):
                layers |= {template.format(number, i): layer for i, layer in enumerate(convolutions)}
        return layers


JIK876 = LayerNames("conv_pre", "ups.{}", "resblocks.{}.convs1.{}", "resblocks.{}.convs2.{}", "conv_post")
_JIK876_SINGLE = LayerNames("conv_pre", "ups.{}", "resblocks.{}.convs.{}", "", "conv_post")
_PARALLELWAVEGAN = LayerNames(
    "input_conv", "upsamples.{}.1", "blocks.{}.convs1.{}.1", "blocks.{}.convs2.{}.1", "output_conv.1"
)
_PARALLELWAVEGAN_CAUSAL = LayerNames(
    "input_conv.conv",
    "upsamples.{}.1.deconv",
    "blocks.{}.convs1.{}.1.conv",
    "blocks.{}.convs2.{}.1.conv",
    "output_conv.1.conv",
)


def jik876_generator(config: Params, state: Mapping[str, Tensor]) -> HiFiGAN:
    """The generator of jik876's hifi-gan (V1, V2 with "resblock" 1; V3 with 2).

    `config` is the content of its `config.json`, `state` the `generator` of its checkpoint, with or without weight
    normalisation. Raises `CheckpointError` where they are wrong or contradict each other.
    """
    state = fuse_weight_norm(state)
    kind = str(setting(config, "resblock"))
    if kind not in ("1", "2"):
        raise CheckpointError(f'resblock in the config is {kind[:40]}: only "1" and "2" are known')
    names = JIK876 if kind == "1" else _JIK876_SINGLE
    sizes = read_sizes(
        config,
        state,
        names,
        channels="upsample_initial_channel",
        bands="num_mels",
        scales="upsample_rates",
        upsample_kernels="upsample_kernel_sizes",
        dilations="resblock_dilation_sizes",
        crop=_centred,
    )
    agree(config, "hop_size", prod(sizes["scales"]), "the product of upsample_rates")
    return load(HiFiGANConfig(**sizes, slope=0.1, paired=kind == "1"), state, names.of, "the hifi-gan checkpoint")


def parallelwavegan_hifigan(params: Params, state: Mapping[str, Tensor]) -> HiFiGAN:
    """The `HiFiGANGenerator` of ParallelWaveGAN.

    `params` are its config's `generator_params`, `state` the `generator` of its checkpoint, with or without weight
    normalisation. Raises `CheckpointError` where they are wrong or contradict each other.
    """
    state = fuse_weight_norm(state)
    causal = flag(params, "use_causal_conv", default=False)
    names = _PARALLELWAVEGAN_CAUSAL if causal else _PARALLELWAVEGAN
    crop = _after_one_input if causal else _centred_right
    config = HiFiGANConfig(
        **read_sizes(params, state, names, upsample_kernels="upsample_kernel_sizes", crop=crop),
        slope=leaky_slope(params),
        paired=flag(params, "use_additional_convs", default=True),
        bias=f"{names.input}.bias" in state,
        block_bias=flag(params, "bias", default=True),
        causal=causal,
        replicated=1 if causal else 0,
    )
    return load(config, state, names.of, "the ParallelWaveGAN checkpoint")


def _centred(kernel: int, scale: int) -> int:
    if (kernel - scale) % 2:
        raise CheckpointError(
            f"an upsampling by {scale} with a kernel of {kernel} gives a sample too many: their difference must be even"
        )
    return (kernel - scale) // 2


def _after_one_input(kernel: int, scale: int) -> int:
    if kernel != 2 * scale:
        raise CheckpointError(f"a causal upsampling by {scale} must have a kernel of {2 * scale}, not {kernel}")
    return scale


def _centred_right(kernel: int, scale: int) -> int:
    # ParallelWaveGAN crops the odd sample on the left.
    return (kernel - scale + 1) // 2


def read_sizes(
    params: Params,
    state: Mapping[str, Tensor],
    names: LayerNames,
    *,
    crop: Callable[[int, int], int],
    channels: str = "channels",
    bands: str = "in_channels",
    scales: str = "upsample_scales",
    upsample_kernels: str = "upsample_kernal_sizes",
    dilations: str = "resblock_dilations",
) -> dict[str, Any]:
    """The sizes in a `HiFiGANConfig`. `channels` and so on are what the config calls them.

    `crop` maps kernel and scale of an upsampling to the samples that it crops on the left.
    """
    weight = state.get(f"{names.input}.weight")
    if weight is None or weight.dim() != 3:
        raise CheckpointError(f"the vocoder's checkpoint has no {names.input}.weight of 3 axes: not this layout")
    first, mels, kernel = weight.shape
    for key, size in ((channels, first), (bands, mels), ("kernel_size", kernel)):
        agree(params, key, size, f"that of {names.input}.weight")
    agree(params, "out_channels", 1, "the one channel that is supported")
    factors, widths = whole_numbers(params, scales), whole_numbers(params, upsample_kernels)
    if len(factors) != len(widths) or any(width < factor for width, factor in zip(widths, factors, strict=False)):
        raise CheckpointError(f"{scales} {list(factors)} do not fit {upsample_kernels} {list(widths)}"[:300])
    if first % 2 ** len(factors):
        raise CheckpointError(f"{first} channels cannot be halved in each of {len(factors)} stages")
    block_kernels = whole_numbers(params, "resblock_kernel_sizes")
    rows = setting(params, dilations)
    if not isinstance(rows, list | tuple) or len(rows) != len(block_kernels):
        raise CheckpointError(f"{dilations} must have one list for each of resblock_kernel_sizes {list(block_kernels)}")
    if any(size % 2 == 0 for size in (kernel, *block_kernels)):
        raise CheckpointError(f"kernels must be odd, but are {[kernel, *block_kernels]}"[:300])
    return {
        "bands": mels,
        "channels": tuple(first >> stage for stage in range(len(factors) + 1)),
        "kernel": kernel,
        "scales": factors,
        "upsample_kernels": widths,
        "crops": tuple(crop(width, factor) for width, factor in zip(widths, factors, strict=True)),
        "block_kernels": block_kernels,
        "block_dilations": tuple(whole_numbers({dilations: row}, dilations) for row in rows),
    }


def load(
    config: HiFiGANConfig,
    state: Mapping[str, Tensor],
    layers: Callable[[HiFiGAN], Mapping[str, nn.Module]],
    what: str,
) -> HiFiGAN:
    """A generator with the tensors of a state dict; `layers` tells what the file calls its layers."""
    generator = HiFiGAN(config)
    load_named(layers(generator), state, what)
    return generator.eval().requires_grad_(False)
