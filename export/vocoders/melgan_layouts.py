"""MelGAN generators from the state dicts of descriptinc's melgan-neurips and of ParallelWaveGAN.

All sizes are read off the tensors; a config must agree with them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from export.checkpoint_files import fuse_weight_norm
from export.errors import CheckpointError
from export.vocoders.melgan import MelGAN, MelGANConfig
from export.vocoders.named import load_named
from export.vocoders.pqmf import designed
from export.vocoders.settings import Params, agree, flag, leaky_slope, section, whole_number

# What upstream's code takes for a setting of `generator_params` that is not there.
_USUAL = {
    "nonlinear_activation": "LeakyReLU",
    "nonlinear_activation_params": {"negative_slope": 0.2},
    "pad": "ReflectionPad1d",
    "pad_params": {},
}
_PADDINGS = {"ReflectionPad1d": "reflect", "ReplicationPad1d": "replicate", "ConstantPad1d": "constant"}


def descriptinc_melgan(state: Mapping[str, Tensor]) -> MelGAN:
    """The generator of descriptinc's melgan-neurips.

    `state` is the whole checkpoint, with or without weight normalisation. Raises `CheckpointError` where it is none.
    """
    state = fuse_weight_norm(state)
    config = MelGANConfig(**_sizes(state, "model", "block", causal=False))
    generator = MelGAN(config)
    _load(generator, state, "model", "shortcut", "block")
    return generator


def parallelwavegan_melgan(config: Params, state: Mapping[str, Tensor]) -> MelGAN:
    """The `MelGANGenerator` of ParallelWaveGAN; one of several sub-bands with the filter bank that belongs to it.

    `config` is the content of its `config.yml`, `state` the `generator` of its checkpoint, with or without weight
    normalisation. Raises `CheckpointError` where they are wrong or contradict each other.
    """
    state = fuse_weight_norm(state)
    params = {**_USUAL, **section(config, "generator_params")}
    causal = flag(params, "use_causal_conv", default=False)
    sizes = _sizes(state, "melgan", "stack", causal=causal)
    for key, size in (
        ("in_channels", sizes["bands"]),
        ("out_channels", sizes["subbands"]),
        ("channels", sizes["channels"][0]),
        ("kernel_size", sizes["kernel"]),
        ("upsample_scales", [*sizes["scales"]]),
        ("stacks", sizes["stacks"]),
        ("stack_kernel_size", sizes["stack_kernel"]),
    ):
        agree(params, key, size, "that of the tensors")
    bank = _filter_bank(config)
    generator = MelGAN(
        MelGANConfig(
            **sizes,
            taps=bank["order"] + 1,
            bias=flag(params, "bias", default=True),
            slope=leaky_slope(params),
            padding=_padding(params),
            tanh=flag(params, "use_final_nonlinear_activation", default=True),
            causal=causal,
        )
    )
    _load(generator, state, "melgan", "skip_layer", "stack")
    if generator.synthesis is not None:
        generator.synthesis = designed(sizes["subbands"], **bank)
    return generator


def _sizes(state: Mapping[str, Tensor], root: str, block: str, *, causal: bool) -> dict[str, Any]:
    """The sizes in a `MelGANConfig`, from the layers that the sequence `root` numbers."""
    outer = re.compile(rf"{root}\.(\d+)(?:\.conv|\.deconv)?\.weight")
    found = ((match, value) for name, value in state.items() if (match := outer.fullmatch(name)))
    weights = {int(match[1]): value for match, value in found if value.dim() == 3}
    numbers = sorted(weights)
    if len(numbers) < 3:
        raise CheckpointError(f"the checkpoint is no MelGAN: it has {len(numbers)} convolutions called {root}.<number>")
    first, *ups, last = (weights[number] for number in numbers)
    after = 2 if causal else 3
    stacks = numbers[-1] - numbers[-2] - after
    dilated = state.get(f"{root}.{numbers[1] + 1}.{block}." + ("1.conv.weight" if causal else "2.weight"))
    if stacks < 1 or dilated is None or dilated.dim() != 3:
        raise CheckpointError(f"the checkpoint is no MelGAN: no residual stack follows {root}.{numbers[1]}")
    kernel, stack_kernel = first.shape[2], dilated.shape[2]
    scales = tuple(weight.shape[2] // 2 for weight in ups)
    if min(scales) < 1 or (not causal and (kernel % 2 == 0 or stack_kernel % 2 == 0)):
        raise CheckpointError(f"kernels of {kernel} and {stack_kernel} and upsamplings by {[*scales]} make no MelGAN")
    return {
        "bands": first.shape[1],
        "channels": (first.shape[0], *(weight.shape[1] for weight in ups)),
        "scales": scales,
        "kernel": kernel,
        "stacks": stacks,
        "stack_kernel": stack_kernel,
        "subbands": last.shape[0],
    }


def _load(generator: MelGAN, state: Mapping[str, Tensor], root: str, shortcut: str, block: str) -> None:
    """Copy the tensors of a sequence that counts activations and paddings, too; a causal layer pads by itself."""
    config = generator.config
    conv, deconv = (".conv", ".deconv") if config.causal else ("", "")
    parts = (shortcut, f"{block}.1.conv", f"{block}.3") if config.causal else (shortcut, f"{block}.2", f"{block}.4")
    padding = 0 if config.causal else 1
    names = [f"{root}.{padding}{conv}"]
    number = padding + 1
    for _ in config.scales:
        names.append(f"{root}.{number + 1}{deconv}")
        stacks = range(number + 2, number + 2 + config.stacks)
        names += [f"{root}.{stack}.{part}" for stack in stacks for part in parts]
        number = stacks.stop
    names.append(f"{root}.{number + 1 + padding}{conv}")
    load_named(dict(zip(names, generator.convolutions(), strict=True)), state, "the MelGAN checkpoint")
    generator.eval().requires_grad_(False)


def _padding(params: Params) -> str:
    kind, options = params["pad"], params["pad_params"]
    if kind not in _PADDINGS or options not in ({}, {"value": 0}):
        raise CheckpointError(f"pad {kind} with {options} is not supported: only {', '.join(_PADDINGS)} (of 0)"[:300])
    return _PADDINGS[kind]


def _filter_bank(config: Params) -> dict[str, Any]:
    """What `designed` takes, beside the number of sub-bands.

    ParallelWaveGAN's own defaults: a cutoff of 0.142, but 0.15 for checkpoints of a version up to 0.4.2 whose config
    has no `pqmf_params`.
    """
    version = re.findall(r"\d+", str(config.get("version", "0")))
    old = [*map(int, version[:3])] <= [0, 4, 2]
    params = config.get("pqmf_params", {"cutoff_ratio": 0.15} if old else {})
    if not isinstance(params, Mapping):
        raise CheckpointError(f"pqmf_params of the config must be settings, not {params}"[:300])
    order = whole_number({"taps": 62, **params}, "taps")
    cutoff, beta = params.get("cutoff_ratio", 0.142), params.get("beta", 9.0)
    if order % 2 or not (_is_number(cutoff) and 0 < cutoff < 1) or not (_is_number(beta) and 0 <= beta <= 100):
        raise CheckpointError(
            f"no filter bank of {order} taps (an even number), cutoff_ratio {cutoff} (0 to 1), beta {beta}"[:300]
        )
    return {"order": order, "cutoff": float(cutoff), "beta": float(beta)}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
