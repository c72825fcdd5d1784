"""Runs a stage: its module in float64, or its graph with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from export.bundle import Arrays, Stage
from export.graph_files import is_large, saved

# From here on float64 takes 2 GB and more.
_MOST_PARAMETERS = 1 << 28


def in_double(stage: Stage, inputs: Arrays) -> Arrays:
    """A stage's outputs as its module computes them in float64.

    Float64 is the arbiter because PyTorch's float32 convolutions (oneDNN, torch 2.13) are wrong by up to 0.06 for
    some lengths on processors with AMX; ONNX Runtime is not. A module of gigabytes stays float32: it is one of matrix
    products, and twice its weights may be more than there is memory for.
    """
    spec = stage.spec
    if sum(parameter.numel() for parameter in stage.module.parameters()) > _MOST_PARAMETERS:
        return _computed(stage, stage.module, [torch.from_numpy(inputs[t.name]) for t in spec.inputs])
    double = stage.module.double()
    try:
        tensors = [
            torch.from_numpy(v).double() if v.dtype == np.float32 else torch.from_numpy(v)
            for v in (inputs[t.name] for t in spec.inputs)
        ]
        return _computed(stage, double, tensors)
    finally:
        stage.module.float()


def _computed(stage: Stage, module: nn.Module, tensors: Sequence[torch.Tensor]) -> Arrays:
    with torch.no_grad():
        result = module(*tensors)
    results = result if isinstance(result, tuple) else (result,)
    return {t.name: r.numpy() for t, r in zip(stage.spec.outputs, results, strict=True)}


def run_onnx(model: onnx.ModelProto | bytes | Path, inputs: Arrays) -> Arrays:
    """One inference with ONNX Runtime on the CPU."""
    import onnxruntime

    if isinstance(model, onnx.ModelProto):
        if is_large(model):
            with saved(model) as path:
                return run_onnx(path, inputs)
        model = model.SerializeToString()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))
