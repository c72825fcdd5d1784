"""Stage specification and batches → the shapes that a plan is built for, and those its CUDA graphs are captured at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from export.profiles import Serving
from export.specs import Axis, DType, StageSpec
from server.plans import Shapes


@dataclass(frozen=True)
class Graph:
    """A captured shape: `dims` of each input without the batch, for any batch from `least` up to `batch`."""

    batch: int
    least: int
    dims: dict[str, tuple[int, ...]]


def optimisation_profiles(spec: StageSpec, serving: Serving) -> tuple[Shapes, ...]:
    """The shapes of a plan's TensorRT profiles: one for a single clause, one for two and more.

    A stream's windows come alone and want the shortest time, batches want throughput: one choice of kernels for both
    would be the batch's.
    """
    largest = min(spec.max_batch_size, serving.max_batch)
    batches = [(1, 1, 1)]
    if largest > 1:
        usual = max((size for size in serving.preferred if size <= largest), default=max(2, largest // 2))
        batches.append((2, usual, largest))
    return tuple(_shapes(spec, *batch) for batch in batches)


def _shapes(spec: StageSpec, least: int, usual: int, most: int) -> Shapes:
    def at(batch: int, bound: str, axes: Sequence[Axis | int]) -> tuple[int, ...]:
        return (batch, *(getattr(axis, bound) if isinstance(axis, Axis) else axis for axis in axes))

    return {
        tensor.name: {
            "min": at(least, "minimum", tensor.axes),
            "opt": at(usual, "optimum", tensor.axes),
            "max": at(most, "maximum", tensor.axes),
        }
        for tensor in spec.inputs
    }


def graphs(spec: StageSpec, serving: Serving) -> Iterator[Graph]:
    """The shapes to capture: every bucket of lengths up to the usual one, alone and at the preferred batch sizes.

    Only a shape that was captured is launched as a graph, save for the batch: a graph computes a smaller one, too, with
    whatever lies in the rest of its buffers. A vocoder makes numbers of that which nobody reads; indices left there by
    another request may point past the end, so a stage with integer inputs gets exact batches only. One with two axes
    of lengths gets single clauses only: the graphs would be hundreds, and a batch has less to gain.
    """
    largest = min(spec.max_batch_size, serving.max_batch)
    axes = {axis.label: axis for tensor in spec.inputs for axis in tensor.axes if isinstance(axis, Axis)}
    batches = [1, *sorted(size for size in serving.preferred if 1 < size <= largest)] if len(axes) < 2 else [1]
    padded = all(tensor.dtype is DType.FP32 for tensor in spec.inputs)
    for before, batch in zip([0, *batches], batches, strict=False):
        # An axis begins with one bucket, and all its lengths are multiples of that.
        for lengths in product(*(range(a.minimum, a.optimum + 1, a.minimum) for a in axes.values())):
            chosen = dict(zip(axes, lengths, strict=True))
            dims = {t.name: tuple(chosen[a.label] if isinstance(a, Axis) else a for a in t.axes) for t in spec.inputs}
            yield Graph(batch, before + 1 if padded else batch, dims)
