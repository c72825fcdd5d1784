"""Reads single settings out of a vocoder's config, none of which is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from export.errors import CheckpointError

Params = Mapping[str, Any]

# Larger than any generator's sizes; a config is not to be trusted with the size of what is allocated.
_LARGEST = 4096
# Of a sample rate, in Hz.
_LARGEST_RATE = 1_000_000


def setting(params: Params, key: str) -> Any:
    """A setting that must be there."""
    if key not in params:
        raise CheckpointError(f"the vocoder's config has no {key}")
    return params[key]


def section(params: Params, key: str) -> Params:
    """A setting that is a section of settings."""
    value = setting(params, key)
    if not isinstance(value, Mapping):
        raise CheckpointError(f"{key} of the vocoder's config must be settings, not {value}"[:300])
    return value


def whole_numbers(params: Params, key: str) -> tuple[int, ...]:
    """A setting that is a list of sizes."""
    values = setting(params, key)
    if not isinstance(values, list | tuple) or not values or not all(_is_size(value) for value in values):
        raise CheckpointError(
            f"{key} of the vocoder's config must be whole numbers from 1 to {_LARGEST}, not {values}"[:300]
        )
    return tuple(values)


def whole_number(params: Params, key: str) -> int:
    """A setting that is a size."""
    return whole_numbers({key: [setting(params, key)]}, key)[0]


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST


def flag(params: Params, key: str, *, default: bool) -> bool:
    """A setting that is true or false; `default` is what upstream's code takes for one that is not there."""
    value = params.get(key, default)
    if not isinstance(value, bool):
        raise CheckpointError(f"{key} of the vocoder's config must be true or false, not {value}"[:300])
    return value


def leaky_slope(params: Params) -> float:
    """The negative slope of the config's activation, which must be a LeakyReLU."""
    kind = setting(params, "nonlinear_activation")
    slope = setting(params, "nonlinear_activation_params")
    slope = slope.get("negative_slope") if isinstance(slope, Mapping) else None
    if kind != "LeakyReLU" or not isinstance(slope, int | float) or not 0 <= slope <= 1:
        raise CheckpointError(
            f"the vocoder's activation must be a LeakyReLU with a slope, not {kind} with {slope}"[:300]
        )
    return float(slope)


def agree(params: Params, key: str, size: object, source: str) -> None:
    """Raise `CheckpointError` where the config has the setting and it is another."""
    if key in params and str(params[key]) != str(size):
        raise CheckpointError(f"{key} is {params[key]} in the vocoder's config, but {size} is {source}"[:300])


def rate(params: Params, key: str) -> int:
    """A setting that is a whole number of Hz or of samples."""
    value = setting(params, key)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _LARGEST_RATE:
        raise CheckpointError(f"{key} of the vocoder's config must be a whole number above 0, not {value}"[:300])
    return value


def frequency(params: Params, key: str) -> float | None:
    """A setting that is a frequency in Hz, or none."""
    value = setting(params, key)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LARGEST_RATE:
        raise CheckpointError(f"{key} of the vocoder's config must be a frequency in Hz, not {value}"[:300])
    return float(value)
