"""Loops over time that become one ONNX node: Scan, or LSTM.

Run as they are, they are loops in Python and PyTorch's own LSTM. PyTorch's exporter would unroll both for the length of
its example.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch._higher_order_ops.scan import scan

# (state, inputs of a time step) → (next state, output of the time step)
Step = Callable[[list[Tensor], list[Tensor]], tuple[list[Tensor], Tensor]]


def recur(step: Step, state: list[Tensor], inputs: list[Tensor]) -> Tensor:
    """Run `step` over axis 1 of the inputs [B, T, …]; its outputs [B, …] come back as [B, T, …].

    The tensors of the state keep their shapes. The exporter demands that no tensor that a step sees or makes is a view
    of another one.
    """
    inputs = [x.transpose(0, 1) for x in inputs]
    if torch.onnx.is_in_onnx_export():
        _, outputs = scan(step, state, inputs)
        return torch.as_tensor(outputs).transpose(0, 1)
    made = []
    for t in range(inputs[0].shape[0]):
        state, output = step(state, [x[t] for x in inputs])
        made.append(output)
    return torch.stack(made, dim=1)


def lstm(x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """x [B, T, C] through one layer of an LSTM that starts at zero → [B, T, units].

    `weights` are PyTorch's: those of the input, of the last output, and their biases.
    """
    units = weights[1].shape[1]
    if not torch.onnx.is_in_onnx_export():
        start = x.new_zeros(1, x.shape[0], units)
        y, _, _ = torch.lstm(x, [start, start], list(weights), True, 1, 0.0, False, False, True)
        return y
    of_input, of_output, *biases = (_reordered(weight).unsqueeze(0) for weight in weights)
    states = torch.onnx.ops.symbolic(
        "LSTM",
        [x.transpose(0, 1), of_input, of_output, torch.cat(biases, dim=1)],
        {"hidden_size": units},
        dtype=x.dtype,
        shape=(x.shape[1], 1, x.shape[0], units),
    )
    return states.squeeze(1).transpose(0, 1)


def _reordered(weight: Tensor) -> Tensor:
    """The gates' rows from PyTorch's order into that of ONNX."""
    enter, forget, value, leave = weight.chunk(4)
    return torch.cat([enter, leave, forget, value])
