"""Generators from the state dicts and configs of KAN-TTS and of its first release on ModelScope."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import Tensor, nn

from export.checkpoint_files import fuse_weight_norm
from export.errors import CheckpointError
from export.vocoders.hifigan import HiFiGAN, HiFiGANConfig
from export.vocoders.hifigan_layouts import LayerNames, load, read_sizes
from export.vocoders.settings import Params, agree, flag, leaky_slope, setting, whole_number

_NAMES = LayerNames(
    input="conv_pre.conv1d",
    upsample="transpose_upsamples.{}.1.deconv",
    repeated="repeat_upsamples.{}.2.conv1d",
    dilated="conv_blocks.{}.convs1.{}.conv1d",
    second="conv_blocks.{}.convs2.{}.conv1d",
    output="conv_post.conv1d",
)
_FIRST_RELEASE = LayerNames(
    input="conv_pre.conv1d",
    upsample="ups.{}.deconv",
    repeated="repeat_ups.{}.2.conv1d",
    dilated="resblocks.{}.convs1.{}.conv1d",
    second="resblocks.{}.convs2.{}.conv1d",
    output="conv_post.conv1d",
)


def kantts_generator(params: Params, state: Mapping[str, Tensor]) -> HiFiGAN:
    """The generator of KAN-TTS, causal or not, with or without a harmonic source.

    `params` are its config's `Model.Generator.params`, or the `vocoder` of the first release's configuration, and
    `state` the `generator` of its checkpoint, with or without weight normalisation. Raises `CheckpointError` where they
    are wrong or contradict each other.
    """
    state = fuse_weight_norm(state)
    # The first release wrote its settings as jik876's hifi-gan does, and had one variant only.
    if "upsample_rates" in params:
        return _first_release(params, state)
    if not flag(params, "repeat_upsample", default=True):
        raise CheckpointError("repeat_upsample is false in the vocoder's config: KAN-TTS itself cannot run that")
    causal = flag(params, "causal", default=True)
    sizes = read_sizes(params, state, _NAMES, crop=_crop_nothing if causal else _centred_left)
    config = HiFiGANConfig(**sizes, slope=leaky_slope(params), causal=causal, periodic=True, **_source(params))
    _check_source(config)
    return load(config, state, _layers, "the vocoder's checkpoint")


def _first_release(params: Params, state: Mapping[str, Tensor]) -> HiFiGAN:
    agree(params, "resblock", "1", "the one kind that is supported")
    sizes = read_sizes(
        params,
        state,
        _FIRST_RELEASE,
        channels="upsample_initial_channel",
        bands="num_mels",
        scales="upsample_rates",
        upsample_kernels="upsample_kernel_sizes",
        dilations="resblock_dilation_sizes",
        crop=_crop_nothing,
    )
    config = HiFiGANConfig(**sizes, slope=0.1, causal=True, periodic=True)
    return load(config, state, _FIRST_RELEASE.of, "the vocoder's checkpoint")


def _crop_nothing(kernel: int, scale: int) -> int:
    return 0


def _centred_left(kernel: int, scale: int) -> int:
    # KAN-TTS crops the odd sample on the right.
    return (kernel - scale) // 2


def _source(params: Params) -> dict[str, Any]:
    settings = params.get("nsf_params")
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise CheckpointError(f"nsf_params of the vocoder's config must be settings, not {settings}"[:300])
    rate = setting(settings, "sampling_rate")
    if not isinstance(rate, int) or not 1000 <= rate <= 192000:
        raise CheckpointError(f"sampling_rate in nsf_params must be a rate in Hz, not {rate}"[:300])
    # The fundamental is not counted.
    return {"harmonics": 1 + whole_number(settings, "nb_harmonics"), "sample_rate": rate}


def _check_source(config: HiFiGANConfig) -> None:
    strides = [prod(config.scales[stage:]) for stage in range(1, len(config.scales))]
    if config.harmonics and not config.causal and any(stride % 2 and stride > 1 for stride in strides):
        raise CheckpointError(f"the source of a vocoder that is not causal cannot be strided by odd numbers: {strides}")


def _layers(generator: HiFiGAN) -> dict[str, nn.Module]:
    sources = {f"source_downs.{stage}.conv1d": layer for stage, layer in enumerate(generator.sources)}
    mixture = {} if generator.source is None else {"source_module.ffn.0": generator.source.mixture}
    return _NAMES.of(generator) | sources | mixture
