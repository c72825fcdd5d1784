"""Runs the requests of one batch through a session: one run for all of them, and a result for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ort_checks import Signature, Tensor

Arrays = dict[str, Any]


class Session(Protocol):
    """The part of onnxruntime.InferenceSession that is used."""

    def run(self, output_names: Sequence[str], input_feed: Arrays, run_options: Any = None) -> list[Any]: ...


class Refused(Exception):
    """The request does not fit the model."""


class Failed(Exception):
    """The model could not compute an answer."""


@dataclass(frozen=True)
class Job:
    """One request: its input arrays by name and the outputs it wants."""

    inputs: Mapping[str, Any]
    wanted: tuple[str, ...]


class Runner:
    """A model that answers batches of requests."""

    def __init__(self, session: Session, signature: Signature, run_options: Any = None) -> None:
        self.session = session
        self.signature = signature
        self.run_options = run_options
        self._outputs = {tensor.name: tensor for tensor in signature.outputs}

    def answer(self, jobs: Sequence[Job]) -> list[Arrays | Exception]:
        """The outputs, or Refused or Failed, for each job in order. One job's fault is not another's."""
        results: list[Arrays | Exception] = [Failed("not run")] * len(jobs)
        fit: list[int] = []
        for place, job in enumerate(jobs):
            fault = self._fault(job, jobs[fit[0]] if fit else None)
            if fault:
                results[place] = Refused(fault)
            else:
                fit.append(place)
        groups = [fit] if self.signature.batching else [[place] for place in fit]
        for group in filter(None, groups):
            for place, result in zip(group, self._run_group([jobs[place] for place in group]), strict=True):
                results[place] = result
        return results

    def _run_group(self, jobs: Sequence[Job]) -> list[Arrays | Exception]:
        try:
            return list(self._run(jobs))
        except Exception as error:
            if len(jobs) == 1:
                return [Failed(f"the ONNX model failed: {' '.join(str(error).split())}")]
        return [result for job in jobs for result in self._run_group([job])]  # which one was it?

    def _run(self, jobs: Sequence[Job]) -> list[Arrays]:
        feed = {}
        for tensor in self.signature.inputs:
            parts = [job.inputs[tensor.name] for job in jobs]
            whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
            feed[tensor.name] = _to_text(whole) if tensor.is_text else whole
        wanted = [name for name in self._outputs if any(name in job.wanted for job in jobs)]
        values = dict(zip(wanted, self.session.run(wanted, feed, self.run_options), strict=True))
        for name in wanted:
            values[name] = self._checked(self._outputs[name], values[name])
        if not self.signature.batching:
            return [values]
        return self._split(jobs, values)

    def _split(self, jobs: Sequence[Job], values: Arrays) -> list[Arrays]:
        sizes = [len(job.inputs[self.signature.inputs[0].name]) for job in jobs]
        for name, value in values.items():
            if len(value) != sum(sizes):
                raise ValueError(f'output "{name}" has {len(value)} rows for a batch of {sum(sizes)}')
        ends = np.cumsum(sizes).tolist()
        return [
            {name: values[name][end - size : end] for name in job.wanted if name in values}
            for job, size, end in zip(jobs, sizes, ends, strict=True)
        ]

    def _checked(self, tensor: Tensor, value: Any) -> Any:
        if tensor.is_text:
            value = _to_bytes(value)
        dims = value.shape[1:] if self.signature.batching else value.shape
        if not _fits(dims, tensor.dims):
            raise ValueError(f'output "{tensor.name}" came out as {list(dims)}, the config says {list(tensor.dims)}')
        return value

    def _fault(self, job: Job, first: Job | None) -> str:
        """Why this job cannot run, or cannot run together with the first one."""
        rows: int | None = None
        for tensor in self.signature.inputs:
            value = job.inputs.get(tensor.name)
            if value is None:
                return f'the input "{tensor.name}" is missing'
            if value.dtype != tensor.dtype:
                return f'the input "{tensor.name}" is {value.dtype}, the model takes {tensor.triton_type}'
            shape = tuple(value.shape)
            dims = shape[1:] if self.signature.batching else shape
            if (self.signature.batching and not shape) or not _fits(dims, tensor.dims):
                takes = [-1, *tensor.dims] if self.signature.batching else list(tensor.dims)
                return f'the input "{tensor.name}" has the shape {list(shape)}, the model takes {takes}'
            if self.signature.batching:
                rows = shape[0] if rows is None else rows
                if shape[0] != rows:
                    return f'the input "{tensor.name}" has {shape[0]} rows where the other inputs have {rows}'
                if first is not None and dims != tuple(first.inputs[tensor.name].shape[1:]):
                    other = list(first.inputs[tensor.name].shape[1:])
                    return f'the input "{tensor.name}" is {list(dims)} in a batch of {other}: they must be equal'
        unknown = [name for name in job.wanted if name not in self._outputs]
        return f'the output "{unknown[0]}" is not in the config' if unknown else ""


def _fits(shape: Sequence[int], dims: Sequence[int]) -> bool:
    return len(shape) == len(dims) and all(dim in (-1, size) for size, dim in zip(shape, dims, strict=True))


def _to_text(value: Any) -> Any:
    texts = [item.decode() if isinstance(item, bytes) else str(item) for item in value.ravel()]
    return np.array(texts, dtype=np.object_).reshape(value.shape)


def _to_bytes(value: Any) -> Any:
    items = [item if isinstance(item, bytes) else str(item).encode() for item in value.ravel()]
    return np.array(items, dtype=np.object_).reshape(value.shape)
