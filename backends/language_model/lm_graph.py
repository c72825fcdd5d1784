"""The ONNX graph of a language model, and the keys and values of the rows that it works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from lm_settings import Settings
from ort_checks import ConfigError, Node

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]

# The cache grows in steps: a step is copied once in so many codes, and what it has too much is computed in vain.
STEP = 128


class Session(Protocol):
    """The part of onnxruntime.InferenceSession that is used."""

    def get_inputs(self) -> Sequence[Node]: ...

    def get_outputs(self) -> Sequence[Node]: ...

    def run(self, output_names: Sequence[str], input_feed: Mapping[str, Any], run_options: Any = None) -> list[Any]: ...


def check(session: Session, settings: Settings) -> None:
    """Raise `ConfigError` where a graph is not what its config says of it."""
    cache = [-1, settings.layers, settings.heads, -1, settings.head_size]
    integers, floats = "tensor(int32)", "tensor(float)"
    wanted = {
        "input": {
            "ids": (integers, [-1, -1]),
            "counts": (integers, [-1, 1]),
            "lengths": (integers, [-1, 1]),
            "keys": (floats, cache),
            "values": (floats, cache),
        },
        "output": {"logits": (floats, [-1, -1]), "new_keys": (floats, cache), "new_values": (floats, cache)},
    }
    for kind, nodes in (("input", session.get_inputs()), ("output", session.get_outputs())):
        names, known = [node.name for node in nodes], wanted[kind]
        if sorted(names) != sorted(known):
            raise ConfigError(f"the {kind}s of the ONNX model are {', '.join(names)}, not {', '.join(known)}")
        for node in nodes:
            triton, shape = known[node.name]
            found = [axis if isinstance(axis, int) else -1 for axis in node.shape]
            if node.name == "logits" and len(found) == 2 and found[1] > settings.codes:
                found[1] = -1
            if node.type != triton or found != shape:
                raise ConfigError(
                    f'{kind} "{node.name}" is {node.type} {found} in the ONNX model, {triton} {shape} in the config '
                    f"with {settings.codes} codes: export the voice again"
                )


class Cache:
    """Keys and values of rows, each [rows, L, H, capacity, D]; the first `len(lengths)` rows are in use.

    Rows in use are always the first ones, so that a run is given views and no copies.
    """

    def __init__(self, settings: Settings) -> None:
        self._shape = settings.layers, settings.heads, settings.head_size
        self._context = settings.context
        self.lengths: list[int] = []
        self.keys = self._empty(0, 0)
        self.values = self._empty(0, 0)

    def append(self, keys: Floats, values: Floats, counts: Sequence[int]) -> None:
        """Add rows [n, L, H, T, D], of which the first `counts` places are real."""
        first = len(self.lengths)
        self._make_room(first + len(counts), max(counts) + 1)
        for row, count in enumerate(counts):
            self.keys[first + row, :, :, :count] = keys[row, :, :, :count]
            self.values[first + row, :, :, :count] = values[row, :, :, :count]
        self.lengths += counts

    def extend(self, keys: Floats, values: Floats) -> None:
        """Add one place [rows, L, H, 1, D] to every row."""
        rows = np.arange(len(self.lengths))
        self.keys[rows, :, :, self.lengths] = keys[:, :, :, 0]
        self.values[rows, :, :, self.lengths] = values[:, :, :, 0]
        self.lengths = [length + 1 for length in self.lengths]
        self._make_room(len(self.lengths), max(self.lengths) + 1)

    def remove(self, row: int) -> int:
        """Take a row out; the last one takes its place. Returns the number that this one had."""
        last = len(self.lengths) - 1
        if row != last:
            count = self.lengths[last]
            self.keys[row, :, :, :count] = self.keys[last, :, :, :count]
            self.values[row, :, :, :count] = self.values[last, :, :, :count]
            self.lengths[row] = self.lengths[last]
        self.lengths.pop()
        if not self.lengths:
            # Nobody is here: the memory is given back.
            self.keys, self.values = self._empty(0, 0), self._empty(0, 0)
        return last

    def _make_room(self, rows: int, length: int) -> None:
        held, capacity = self.keys.shape[0], self.keys.shape[3]
        if rows <= held and length <= capacity:
            return
        # Rows by doubling, places by steps, though never beyond what any row may have.
        held = max(held, 1 << (rows - 1).bit_length()) if rows > held else held
        capacity = max(capacity, min(-(-length // STEP) * STEP, max(self._context, length)))
        used = len(self.lengths)
        for name in ("keys", "values"):
            old: Floats = getattr(self, name)
            new = self._empty(held, capacity)
            new[:used, :, :, : old.shape[3]] = old[:used]
            setattr(self, name, new)

    def _empty(self, rows: int, capacity: int) -> Floats:
        layers, heads, size = self._shape
        # Zeros and not whatever is there: a masked NaN is still one.
        return np.zeros((rows, layers, heads, capacity, size), dtype=np.float32)


class Graph:
    """Runs rows of ids."""

    def __init__(self, session: Session, settings: Settings, run_options: Any = None) -> None:
        check(session, settings)
        self._session = session
        self._run_options = run_options
        self._nothing = np.zeros((1, settings.layers, settings.heads, 1, settings.head_size), dtype=np.float32)

    def begin(self, prompts: Sequence[Sequence[int]]) -> tuple[Floats, Floats, Floats]:
        """Logits [n, V] after each prompt, and keys and values [n, L, H, T, D], right-padded as the prompts are."""
        counts = np.array([[len(prompt)] for prompt in prompts], dtype=np.int32)
        ids = np.zeros((len(prompts), int(counts.max())), dtype=np.int32)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = prompt
        nothing = np.repeat(self._nothing, len(prompts), axis=0)
        return self._run(ids, counts, np.zeros_like(counts), nothing, nothing)

    def go_on(self, ids: Sequence[int], cache: Cache) -> tuple[Floats, Floats, Floats]:
        """Logits [n, V] after one more id in each row of the cache, and its keys and values [n, L, H, 1, D]."""
        rows = len(ids)
        lengths = np.array(cache.lengths, dtype=np.int32)[:, None]
        one = np.ones_like(lengths)
        return self._run(np.array(ids, dtype=np.int32)[:, None], one, lengths, cache.keys[:rows], cache.values[:rows])

    def _run(
        self, ids: Ints, counts: Ints, lengths: Ints, keys: Floats, values: Floats
    ) -> tuple[Floats, Floats, Floats]:
        feed = {"ids": ids, "counts": counts, "lengths": lengths, "keys": keys, "values": values}
        logits, new_keys, new_values = self._session.run(["logits", "new_keys", "new_values"], feed, self._run_options)
        return logits, new_keys, new_values
