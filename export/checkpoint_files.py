"""Reads the files that checkpoints are made of, none of which is trusted.

Nothing here runs code from a file: pickles hold tensors only, YAML plain values only, arrays no objects, and archives
nothing outside their folder. Whatever is wrong with a file is a `CheckpointError` that says what to do.
"""

from __future__ import annotations

import json
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import torch
import yaml
from torch import Tensor, nn

from export.archives import DAMAGED, MAX_BYTES, unpacked_size
from export.errors import CheckpointError, listed

Array = npt.NDArray[Any]

# A config has a few kilobytes; the parsers take minutes for what is much longer.
_MAX_TEXT_BYTES = 1 << 20
_LFS = b"version https://git-lfs"
# What the readers of pickles, YAML and arrays raise for bytes that are not what they expect.
_UNREADABLE = (
    *DAMAGED,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    SyntaxError,
    TypeError,
    pickle.UnpicklingError,
    struct.error,
)


def read_checkpoint(path: Path) -> Any:
    """What `torch.save` wrote, on the CPU: tensors inside plain containers.

    Raises `CheckpointError` for a file that is missing, cut short, no checkpoint, or one that holds other objects than
    tensors and plain values: to load those, Python would run code from the file.
    """
    try:
        if _is_zip(path):
            with zipfile.ZipFile(path) as archive:
                # torch.save does not compress.
                if unpacked_size(archive) > path.stat().st_size:
                    raise CheckpointError(f"{path} is a compressed archive, not a checkpoint; fetch it again")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise _unreadable(path, error) from error
    except _UNREADABLE as error:
        if found := re.search(r"unsupported global(?:: global)? ([\w.]+)", str(error), re.IGNORECASE):
            raise CheckpointError(
                f"{path} holds the Python object {found[1][:60]}, which could run code: it is not loaded; "
                "save the checkpoint again with tensors only"
            ) from error
        raise CheckpointError(f"{path} is damaged, cut short or no PyTorch checkpoint; fetch it again") from error


def read_safetensors(path: Path, *beginnings: str) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file by name: all, or those alone whose names have one of the `beginnings`.

    Raises `CheckpointError`, also for what is not finite.
    """
    _opening(path)
    try:
        with safetensors.safe_open(path, "pt") as file:
            # Not a mapping: it cannot be iterated over.
            names = [name for name in list(file.keys()) if name.startswith(beginnings or "")]
            state = {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise _unreadable(path, error) from error
    except (safetensors.SafetensorError, *_UNREADABLE) as error:
        raise CheckpointError(f"{path} is damaged, cut short or no safetensors file; fetch it again") from error
    return tensors(state, path=path)


def tensors(content: Any, *keys: str, path: Path) -> dict[str, Tensor]:
    """The state dict under `keys` of what `read_checkpoint` gave; `path` is for the messages.

    Raises `CheckpointError` when there is none, or when it holds anything but finite dense tensors.
    """
    for depth, key in enumerate(keys):
        if not isinstance(content, Mapping) or key not in content:
            where = "".join(f'["{outer}"]' for outer in keys[:depth])
            raise CheckpointError(f'{path}{where} has no "{key}" but {_kind(content)}: not the expected checkpoint')
        content = content[key]
    where = f"{path}" + "".join(f'["{key}"]' for key in keys)
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(f"{where} is {_kind(content)} instead of named tensors: not the expected checkpoint")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            found = f"{_kind(value)} as {str(name)[:80]}"
            raise CheckpointError(f"{where} has {found} where only tensors are expected: not the expected checkpoint")
        _check_tensor(value, f"{name[:120]} of {path}")
    return dict(content)


def fuse_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with every weight normalisation multiplied out: weight = g · v / ‖v‖, the norm over all but axis 0.

    Both ways in which PyTorch names g and v are understood: `weight_g`, `weight_v` and the newer
    `parametrizations.weight.original0`, `…original1`. Raises `CheckpointError` where one of a pair is missing, where
    their shapes do not belong together, or where v is zero.
    """
    fused = dict(state)
    for halves in _WEIGHT_NORMS:
        for stem in sorted({name.removesuffix(half) for half in halves for name in state if name.endswith(half)}):
            if missing := [half for half in halves if f"{stem}{half}" not in fused]:
                raise CheckpointError(f"{stem}weight is there in part only, {missing[0]} is missing; fetch it again")
            magnitude, direction = (fused.pop(f"{stem}{half}") for half in halves)
            fused[f"{stem}weight"] = _weight(f"{stem}weight", magnitude, direction)
    return fused


# Names of the magnitude g and the direction v, old and new.
_WEIGHT_NORMS = (
    ("weight_g", "weight_v"),
    ("parametrizations.weight.original0", "parametrizations.weight.original1"),
)


def _weight(name: str, magnitude: Tensor, direction: Tensor) -> Tensor:
    if direction.dim() == 0 or magnitude.shape != (direction.shape[0], *(1,) * (direction.dim() - 1)):
        raise CheckpointError(f"{name} has a direction {_shape(direction)} and a magnitude {_shape(magnitude)}")
    norm: Tensor = torch.linalg.vector_norm(direction.flatten(1), dim=1).reshape(magnitude.shape)
    if not bool((norm > 0).all()):
        raise CheckpointError(f"{name} has a channel whose direction is zero; use another checkpoint")
    return direction * (magnitude / norm)


def load_strict(module: nn.Module, state: Mapping[str, Tensor], what: str, *, ignored: Iterable[str] = ()) -> None:
    """Copy a state dict into a module whose tensors must be exactly those of the file.

    `what` names the checkpoint in messages. `ignored` are names, or beginnings of names, that are computed and not
    loaded. Raises `CheckpointError` that lists what is missing, left over or of another shape; nothing is copied then.
    """
    prefixes = tuple(ignored)
    expected = {name: value for name, value in module.state_dict().items() if not name.startswith(prefixes)}
    given = {name: value for name, value in state.items() if not name.startswith(prefixes)}
    reshaped = [
        f"{name} {_shape(given[name])} instead of {_shape(value)}"
        for name, value in expected.items()
        if name in given and given[name].shape != value.shape
    ]
    found = {
        "missing": [name for name in expected if name not in given],
        "unexpected": [name for name in given if name not in expected],
        "of another shape": reshaped,
    }
    if any(found.values()):
        problems = "; ".join(f"{problem}: {listed(names, 70)}" for problem, names in found.items() if names)
        raise CheckpointError(f"{what} does not fit its config: {problems}")
    module.load_state_dict(given, strict=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that is a mapping of plain values. Raises `CheckpointError`, also for tags of Python objects."""
    try:
        content = yaml.safe_load(read_text(path))
    except yaml.constructor.ConstructorError as error:
        if tag := re.search(r"'(tag:yaml\.org,2002:python/|!)([^']*)'", str(error)):
            wanted = tag[2].rpartition(":")[2][:60]
            raise CheckpointError(
                f"{path} asks for the Python object {wanted}, which could run code: replace it by a plain value"
            ) from error
        raise CheckpointError(f"{path} is not valid YAML; fetch it again") from error
    except (*_UNREADABLE, yaml.YAMLError) as error:
        raise CheckpointError(f"{path} is not valid YAML; fetch it again") from error
    return _mapping(content, path)


def read_json(path: Path, most_bytes: int = _MAX_TEXT_BYTES) -> dict[str, Any]:
    """A JSON file that is an object, of at most `most_bytes`. Raises `CheckpointError`."""
    try:
        content = json.loads(read_text(path, most_bytes))
    except _UNREADABLE as error:
        raise CheckpointError(f"{path} is not valid JSON; fetch it again") from error
    return _mapping(content, path)


def read_array(path: Path) -> Array:
    """The finite numbers of a `.npy` file, of any shape. Raises `CheckpointError`."""
    content = _load(path)
    if not isinstance(content, np.ndarray):
        raise CheckpointError(f"{path} is an archive of arrays, one array is expected")
    return _numbers(content, f"{path}")


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an `.npz` file by name, finite numbers of any shape. Raises `CheckpointError`."""
    content = _load(path)
    if isinstance(content, np.ndarray):
        raise CheckpointError(f"{path} is a single array, an archive of named arrays (.npz) is expected")
    return {name: _numbers(value, f"{name} of {path}") for name, value in content.items()}


def _load(path: Path) -> Array | dict[str, Array]:
    try:
        if _is_zip(path):
            with zipfile.ZipFile(path) as archive:
                if unpacked_size(archive) > MAX_BYTES:
                    raise CheckpointError(f"{path} unpacks to more than {MAX_BYTES >> 30} GiB: it is not read")
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return dict(loaded)
    except OSError as error:
        raise _unreadable(path, error) from error
    except _UNREADABLE as error:
        reason = "holds Python objects, which could run code" if "Object arrays" in str(error) else "is damaged"
        raise CheckpointError(f"{path} {reason}, or is no NumPy array: save it again with numpy.save") from error


def _numbers(value: Array, what: str) -> Array:
    if not np.issubdtype(value.dtype, np.number) and value.dtype != np.bool_:
        raise CheckpointError(f"{what} holds {value.dtype} instead of numbers")
    if not np.isfinite(value).all():
        raise CheckpointError(f"{what} holds NaN or infinite values; fetch it again or train further")
    return value


def _check_tensor(value: Tensor, what: str) -> None:
    if value.layout != torch.strided or value.is_quantized or value.is_complex() or value.device.type != "cpu":
        raise CheckpointError(f"{what} is not a dense tensor of real numbers; save the checkpoint as float32")
    # An expanded view of a few bytes could claim to have any number of elements.
    if value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise CheckpointError(
            f"{what} has fewer values in the file than its shape {_shape(value)} says; fetch it again"
        )
    if not bool(torch.isfinite(value).all()):
        raise CheckpointError(f"{what} holds NaN or infinite values; use an earlier checkpoint")


def read_text(path: Path, most_bytes: int = _MAX_TEXT_BYTES) -> str:
    """A text in UTF-8 of at most `most_bytes`: a config's megabyte. Raises `CheckpointError`."""
    _opening(path)
    try:
        if path.stat().st_size > most_bytes:
            raise CheckpointError(f"{path} has {path.stat().st_size} bytes: too long for a config; fetch it again")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise _unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path} is not text in UTF-8; fetch it again") from error


def _mapping(content: Any, path: Path) -> dict[str, Any]:
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise CheckpointError(f"{path} is {_kind(content)} instead of named settings; fetch it again")
    return content


def _is_zip(path: Path) -> bool:
    """Whether a file that can be read begins as an archive does."""
    return _opening(path).startswith(b"PK")


def _opening(path: Path) -> bytes:
    """The first bytes of a file. Raises `CheckpointError` where it cannot be read or only points to the file."""
    try:
        with path.open("rb") as file:
            opening = file.read(len(_LFS))
    except OSError as error:
        raise _unreadable(path, error) from error
    if opening == _LFS:
        raise CheckpointError(f"{path} is only a Git LFS pointer; fetch the file itself with: git lfs pull")
    return opening


def _unreadable(path: Path, error: OSError) -> CheckpointError:
    return CheckpointError(f"cannot read {path}: {error.strerror or error}")


def _kind(content: Any) -> str:
    if isinstance(content, Mapping):
        return listed(map(str, content), 80) or "nothing"
    name = type(content).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _shape(value: Tensor) -> str:
    return f"{list(value.shape)}"
