"""What the numbers of a mel spectrogram mean, and the exact way from one meaning to another.

A voice and a vocoder fit when they cut the signal alike (rate, hop, window, bands, frequencies). How the magnitudes of
the bands are written down may differ: logarithms of any base and normalisation by band are affine maps of one another,
so a bridge between them is exact. Only what lies below a format's own clip floor (magnitude 1e-5 for `ln` and for
descriptinc's `log10`, 1e-10 for ParallelWaveGAN's, 1e-4 for `kantts`, which also ends at 10) is not restored by it: it
is inaudible.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import CheckpointError

# A value of each scale is factor · log10(magnitude) + offset. KAN-TTS writes the 100 dB below +20 dB as 0…1.
_KANTTS = "kantts"
_LOGARITHMS = {"log10": (1.0, 0.0), "ln": (math.log(10.0), 0.0), _KANTTS: (0.2, 0.8)}

_KANTTS_LEVELS = {"min_level_db": -100, "ref_level_db": 20, "max_norm": 1, "symmetric": False, "preemphasize": False}


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each band: a normalised value is (value - mean) / scale."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise `CheckpointError` where they cannot normalise anything."""
        if len(self.mean) != len(self.scale):
            raise CheckpointError(f"statistics have {len(self.mean)} means but {len(self.scale)} scales")
        if not all(map(math.isfinite, (*self.mean, *self.scale))) or min(self.scale, default=0.0) <= 0.0:
            raise CheckpointError("statistics must be finite, and every scale above 0")


@dataclass(frozen=True)
class MelFormat:
    """How a mel spectrogram was made.

    `hop_length`, `n_fft` and `win_length` are in samples (None: the checkpoint does not tell), `fmin` and `fmax` in Hz
    (None: 0 and half the sample rate). `scale` is how a magnitude is written: "log10", "ln" or "kantts"
    (0.8 + 0.2 log10). A `normalised` format without `statistics` was normalised by ones that the checkpoint does not
    carry.
    """

    sample_rate: int
    hop_length: int
    bands: int
    n_fft: int | None
    win_length: int | None
    fmin: float | None
    fmax: float | None
    scale: str
    statistics: Statistics | None
    normalised: bool

    def __post_init__(self) -> None:
        """Raise `CheckpointError` where the statistics are not for these bands."""
        if self.statistics is not None and len(self.statistics.mean) != self.bands:
            raise CheckpointError(f"statistics of {len(self.statistics.mean)} bands for {self.bands} mel bands")

    @property
    def frequencies(self) -> tuple[float, float]:
        """Lower and upper edge of the bands in Hz."""
        return self.fmin or 0.0, self.sample_rate / 2 if self.fmax is None else self.fmax

    def as_dict(self) -> dict[str, Any]:
        """The form kept in `voice.json`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> MelFormat:
        """What `as_dict` gave. Raises KeyError, TypeError, ValueError and `CheckpointError`."""
        given = content["statistics"]
        return cls(
            sample_rate=int(content["sample_rate"]),
            hop_length=int(content["hop_length"]),
            bands=int(content["bands"]),
            n_fft=_optional(int, content["n_fft"]),
            win_length=_optional(int, content["win_length"]),
            fmin=_optional(float, content["fmin"]),
            fmax=_optional(float, content["fmax"]),
            scale=str(content["scale"]),
            statistics=None if given is None else Statistics(_floats(given["mean"]), _floats(given["scale"])),
            normalised=bool(content["normalised"]),
        )


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)


def _optional(kind: type, value: Any) -> Any:
    return None if value is None else kind(value)


def kantts_format(audio: Mapping[str, Any]) -> MelFormat:
    """The format that a KAN-TTS `audio_config` describes. Raises `CheckpointError` where a key is missing.

    KAN-TTS normalises by the statistics of its training data and keeps them with that data, not with the checkpoint.
    """
    levels = {name: audio.get(name, usual) for name, usual in _KANTTS_LEVELS.items()}
    unusual = ", ".join(f"{name} {value}" for name, value in levels.items() if value != _KANTTS_LEVELS[name])
    try:
        return MelFormat(
            sample_rate=int(audio["sampling_rate"]),
            hop_length=int(audio["hop_length"]),
            bands=int(audio["n_mels"]),
            n_fft=int(audio["n_fft"]),
            win_length=int(audio["win_length"]),
            fmin=float(audio["fmin"]),
            fmax=float(audio["fmax"]),
            # Another scale by another name: it fits its like, and nothing is a bridge to it.
            scale=f"{_KANTTS} with {unusual}" if unusual else _KANTTS,
            statistics=None,
            normalised=True,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"no audio_config of KAN-TTS: {error!r}") from error


def differences(voice: MelFormat, vocoder: MelFormat) -> list[str]:
    """What of two formats no bridge can mend, as lines "what: voice's | vocoder's"."""
    low, high = voice.frequencies
    vocoder_low, vocoder_high = vocoder.frequencies
    pairs = [
        ("sample rate", voice.sample_rate, vocoder.sample_rate),
        ("hop length", voice.hop_length, vocoder.hop_length),
        ("mel bands", voice.bands, vocoder.bands),
        ("n_fft", voice.n_fft, vocoder.n_fft),
        ("window length", voice.win_length, vocoder.win_length),
        ("fmin", low, vocoder_low),
        ("fmax", high, vocoder_high),
    ]
    return [f"{what}: {a:g} | {b:g}" for what, a, b in pairs if a is not None and b is not None and a != b]


def check_match(voice: MelFormat, vocoder: MelFormat) -> None:
    """Raise `CheckpointError` with both values of all that differs and cannot be bridged."""
    if found := differences(voice, vocoder):
        raise CheckpointError(f"the vocoder is for another mel spectrogram (voice | vocoder): {'; '.join(found)}")


def bridge(voice: MelFormat, vocoder: MelFormat) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The factor and the offset of each band [bands] float64 that turn a voice's mel into a vocoder's.

    Two KAN-TTS formats are taken for normalised alike: upstream pairs its models so. Raises `CheckpointError` where the
    formats do not match or no exact map is known.
    """
    check_match(voice, vocoder)
    if voice.scale == vocoder.scale and voice.scale.startswith(_KANTTS) and voice.normalised and _unknown(vocoder):
        return np.ones(voice.bands), np.zeros(voice.bands)
    if not {voice.scale, vocoder.scale} <= {*_LOGARITHMS}:
        scales = f"{voice.scale} | {vocoder.scale}"
        raise CheckpointError(f"no exact bridge between the mel scales (voice | vocoder): {scales}")
    if _unknown(voice):
        raise CheckpointError(
            f"the statistics that the voice's mel is normalised by are unknown (voice | vocoder: "
            f"{_normalisation(voice)} | {_normalisation(vocoder)}): give them with --voice-statistics FILE, or say "
            "--same-normalisation for a vocoder trained on that very normalisation"
        )
    if _unknown(vocoder):
        raise CheckpointError(
            f"the statistics that the vocoder's mel is normalised by are unknown (voice | vocoder: "
            f"{_normalisation(voice)} | {_normalisation(vocoder)}): it serves voices of its own training data only"
        )
    (a, b), (c, d) = _LOGARITHMS[voice.scale], _LOGARITHMS[vocoder.scale]
    mean, scale = _arrays(voice)
    target_mean, target_scale = _arrays(vocoder)
    factor = scale * (c / a) / target_scale
    offset = ((mean - b) * (c / a) + d - target_mean) / target_scale
    return factor, offset


def _unknown(mel: MelFormat) -> bool:
    return mel.normalised and mel.statistics is None


def _normalisation(mel: MelFormat) -> str:
    if not mel.normalised:
        return "not normalised"
    return "unknown" if mel.statistics is None else "known"


def _arrays(mel: MelFormat) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    if mel.statistics is None:
        return np.zeros(mel.bands), np.ones(mel.bands)
    return np.array(mel.statistics.mean), np.array(mel.statistics.scale)
