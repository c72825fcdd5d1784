"""Loops over time that become one ONNX Scan."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan

# (state, inputs of a time step) → (next state, output of the time step)
Step = Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], Tensor]]


def recur(step: Step, state: list[Tensor], inputs: list[Tensor]) -> Tensor:
    """Run `step` over axis 1 of the inputs [B, T, …]; its outputs [B, …] come back as [B, T, …].

    The tensors of the state keep their shapes.
    """
    inputs = [x.transpose(0, 1) for x in inputs]
    if torch.compiler.is_exporting():
        _, outputs = scan(step, state, inputs)
        return torch.as_tensor(outputs).transpose(0, 1)
    made = []
    for t in range(inputs[0].shape[0]):
        state, output = step(state, [x[t] for x in inputs])
        made.append(output)
    return torch.stack(made, dim=1)
