"""Compares HiFT with what CosyVoice2 computes: f0, the source, and the waveform of a mel spectrogram and a source."""

from __future__ import annotations

from collections.abc import Mapping
from math import pi

import numpy as np
from torch import Tensor, nn

from export.bundle import Arrays, Stage
from export.errors import CheckpointError
from export.families.sculptor.hift import Hift
from export.families.sculptor.hift_served import ServedHift
from export.families.sculptor.hift_source import F0_UNIT, TRACK, HarmonicSource, frames_of
from export.families.sculptor.hift_stage import HIFT, track_of
from export.specs import FLOATS, Axis, DType, StageSpec, TensorSpec
from export.verify import Array, Chain, Row, both, compare
from export.vocoders.nsf import NOISE_FRAMES, PHASE_UNIT
from export.vocoders.vocoder import FRAMES, vocoder_spec

_TRACK, _SOURCE = "track", "source"
_ARRAYS = {"mel": 3, "f0": 2, "source": 3, "wav": 2}
# Frames that another item of a batch is longer.
_LONGER = 9


class _SourcedHift(nn.Module):
    """The vocoder as it is served, but its source is an input."""

    def __init__(self, hift: Hift) -> None:
        super().__init__()
        self.generator = ServedHift(hift)

    def forward(self, tracked: Tensor, excitation: Tensor) -> Tensor:
        """mel with its track [B, M, bands + 3], excitation [B, M, hop_length] → audio [B, M·hop_length]."""
        audio: Tensor = self.generator(tracked[..., :-TRACK], frames_of(tracked), excitation)
        return audio


def hift_verification_stages(hift: Hift) -> tuple[Stage, ...]:
    """What `verify_hift` compares: the track, the source but its noise, the vocoder with its source as an input."""
    hop, bands = hift.hop_length, hift.config.bands
    mel, mask = TensorSpec("mel", DType.FP32, (FRAMES, bands)), TensorSpec("mask", DType.FP32, (FRAMES,))
    tracked = TensorSpec("tracked", DType.FP32, (FRAMES, bands + TRACK))
    excitation, hiss = (TensorSpec(name, DType.FP32, (FRAMES, hop)) for name in ("excitation", "hiss"))
    audio = vocoder_spec(HIFT, bands + TRACK, hop).outputs
    source = HarmonicSource(hift.config, hift.mixture, hop)
    return (
        Stage(StageSpec(_TRACK, (mel, mask), (tracked,)), track_of(hift), _sample),
        Stage(StageSpec(_SOURCE, (tracked, hiss), (excitation,)), source, _sample),
        Stage(StageSpec(HIFT, (tracked, excitation), audio, precisions=FLOATS), _SourcedHift(hift).eval(), _sample),
    )


def _sample(spec: StageSpec, batch: int, lengths: Mapping[str, int], generator: np.random.Generator) -> Arrays:
    inputs: Arrays = {}
    for tensor in spec.inputs:
        shape = (batch, *(lengths[axis.label] if isinstance(axis, Axis) else axis for axis in tensor.axes))
        inputs[tensor.name] = generator.standard_normal(shape).astype(np.float32)
    if "mask" in inputs:
        inputs["mask"] = np.ones_like(inputs["mask"])
    if "tracked" in inputs:
        # Within an octave of 200 Hz; the phase runs from 0 to 1 in a unit of its own.
        tracked = inputs["tracked"]
        tracked[..., -3] = 200 / F0_UNIT * 2 ** generator.uniform(-1, 1, tracked.shape[:2])
        tracked[..., -2] = generator.uniform(0, 1 / PHASE_UNIT, tracked.shape[:2])
        tracked[..., -1] = np.arange(tracked.shape[1]) % NOISE_FRAMES
    return inputs


def verify_hift(chain: Chain, expected: Arrays, tolerance: float) -> list[Row]:
    """Check `hift_verification_stages` and their graphs against every array of a reference that the vocoder makes.

    Each array is compared twice: alone, and in a batch between longer items of other contents. What upstream drew its
    source's noise from is not known: of the `source` the amplitudes of its sines are compared, taken over the whole
    utterance, where the noise cancels. Raises `CheckpointError` where the reference is of something else.
    """
    if wrong := [name for name, axes in _ARRAYS.items() if name not in expected or expected[name].ndim != axes]:
        raise CheckpointError(f"the reference has no {', '.join(wrong)} as CosyVoice2 gives them")
    (track, track_path), (source, source_path), (hift, hift_path) = chain
    assert isinstance(source.module, HarmonicSource)
    mel, f0, wav = expected["mel"].transpose(0, 2, 1), expected["f0"], expected["wav"]
    frames = mel.shape[1]
    excitation = expected["source"].reshape(1, frames, -1)
    wanted = _sines(source.module, f0[0], excitation)
    rows = []
    for item, suffix in ((0, ""), (1, " in a batch")):
        mask = np.ones_like(_items(f0, item))
        mask[item, frames:] = 0
        tracked = both(track, track_path, {"mel": _items(mel, item), "mask": mask})
        pair = _pair(tracked, "tracked", item, frames)
        found = (pair[0][..., -TRACK] * F0_UNIT, pair[1][..., -TRACK] * F0_UNIT)
        rows.append(compare(_TRACK, f"f0{suffix}", found, f0, tolerance))
        inputs = {"tracked": tracked[0]["tracked"].astype(np.float32), "excitation": _items(excitation, item)}
        silent = {"tracked": inputs["tracked"], "hiss": np.zeros_like(inputs["excitation"])}
        pair = _pair(both(source, source_path, silent), "excitation", item, frames)
        found = (_sines(source.module, f0[0], pair[0]), _sines(source.module, f0[0], pair[1]))
        rows.append(compare(_SOURCE, f"source{suffix}", found, wanted, tolerance))
        found = _pair(both(hift, hift_path, inputs), "audio", item, wav.shape[1])
        rows.append(compare(HIFT, f"wav{suffix}", found, wav, tolerance))
    return rows


def _items(values: Array, item: int) -> Array:
    """values [1, M, …] alone, where the item is 0, or as the second of three items of more frames."""
    if not item:
        return values.astype(np.float32)
    padding = ((0, 0), (0, _LONGER), *((0, 0),) * (values.ndim - 2))
    others, padded = (np.pad(values, padding, mode=mode) for mode in ("reflect", "edge"))
    items: Array = np.concatenate([-others, padded, 0.5 * others]).astype(np.float32)
    return items


def _pair(sides: tuple[Arrays, Arrays], name: str, item: int, steps: int) -> tuple[Array, Array]:
    module, graph = (side[name][item : item + 1, :steps] for side in sides)
    return module, graph


def _sines(source: HarmonicSource, f0: Array, excitation: Array) -> Array:
    """The sine and cosine amplitudes of each multiple of f0 [M] in Hz in the voiced frames of [1, M, hop_length]."""
    hop = source.hop_length
    cycles = np.cumsum(f0.astype(np.float64)) * hop / source.config.sample_rate
    middles = (np.arange(f0.size * hop) + 0.5) / hop - 0.5
    angle = 2 * pi * np.interp(middles, np.arange(f0.size), cycles)[:, None] * source.multiples.numpy()
    basis = np.concatenate([np.sin(angle), np.cos(angle), np.ones_like(angle[:, :1])], axis=1)
    voiced = np.repeat(f0 > source.config.voiced_from, hop)
    before_mixing = np.arctanh(excitation.astype(np.float64)).reshape(-1)
    amplitudes: Array = np.linalg.lstsq(basis[voiced], before_mixing[voiced], rcond=None)[0]
    return amplitudes[:-1]
