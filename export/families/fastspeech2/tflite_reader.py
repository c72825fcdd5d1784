"""Reads constant tensors out of a TFLite flatbuffer by the operations that use them.

TFLite stores equal constants once, so a tensor's own name may be that of another layer. Every look-up therefore goes
through the operation's output, whose name is its own.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from export.errors import CheckpointError

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Operation:
    """An operation: its TFLite opcode name, the tensors it reads and the name of its first output."""

    code: str
    inputs: tuple[int, ...]
    output: str


class TfliteFile:
    """The operations and constants of a TFLite file's main subgraph.

    Raises `CheckpointError` when the file is missing, truncated or not TFLite.
    """

    def __init__(self, path: Path) -> None:
        import tflite

        self.path = path
        try:
            data = path.read_bytes()
        except OSError as error:
            raise CheckpointError(f"cannot read {path}: {error.strerror or error}") from error
        if len(data) < 8 or data[4:8] != b"TFL3":
            raise CheckpointError(f"{path} is not a TFLite file; fetch the checkpoint again")
        names = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
        try:
            model = tflite.Model.GetRootAs(data, 0)
            graph = model.Subgraphs(0)
            self._model, self._graph = model, graph
            self.operations = tuple(self._operation(graph.Operators(i), names) for i in range(graph.OperatorsLength()))
        except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged() from error

    def _damaged(self) -> CheckpointError:
        return CheckpointError(f"{self.path} is damaged or truncated; fetch the checkpoint again")

    def _operation(self, operator: Any, names: dict[int, str]) -> Operation:
        code = self._model.OperatorCodes(operator.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        output = self._graph.Tensors(int(operator.OutputsAsNumpy()[0])).Name().decode()
        return Operation(names.get(number, str(number)), tuple(int(i) for i in operator.InputsAsNumpy()), output)

    def constant(self, index: int) -> Array | None:
        """The float32 value of tensor `index`, int8 dequantised; None if it is not constant."""
        import tflite

        try:
            tensor = self._graph.Tensors(index)
            buffer = self._model.Buffers(tensor.Buffer())
            if not buffer.DataLength():
                return None
            shape = tuple(int(n) for n in tensor.ShapeAsNumpy()) if tensor.ShapeLength() else ()
            raw = buffer.DataAsNumpy()
            if tensor.Type() == tflite.TensorType.FLOAT32:
                return np.array(raw.view(np.float32).reshape(shape))
            if tensor.Type() == tflite.TensorType.INT8:
                quantisation = tensor.Quantization()
                scale = quantisation.ScaleAsNumpy().astype(np.float32)
                zero = quantisation.ZeroPointAsNumpy().astype(np.float32)
                axis = [1] * len(shape)
                if scale.size > 1:
                    axis[quantisation.QuantizedDimension()] = scale.size
                values = raw.view(np.int8).reshape(shape).astype(np.float32)
                return np.asarray((values - zero.reshape(axis)) * scale.reshape(axis), dtype=np.float32)
            return None
        except (struct.error, IndexError, ValueError, TypeError, AttributeError) as error:
            raise self._damaged() from error

    def find(self, scope: str, code: str) -> Array:
        """The constant read by the first operation of a kind that lies in a scope of names and reads one.

        Of several constants (a weight and an all-zero bias) it is the largest.
        """
        return self._find(scope, code)[1]

    def find_with_bias(self, scope: str, code: str) -> tuple[Array, Array]:
        """As `find`, and the constant of the next addition: the bias, whatever the addition is called."""
        at, weight = self._find(scope, code)
        for operation in self.operations[at + 1 :]:
            if operation.code == "ADD" and (bias := self.largest_constant(operation)) is not None:
                return weight, bias
        raise CheckpointError(f"{self.path} has no bias after {scope}: not the expected network")

    def _find(self, scope: str, code: str) -> tuple[int, Array]:
        for at, operation in enumerate(self.operations):
            # The output of fused operations carries the names of all, joined by ";".
            if operation.code == code and any(name.startswith(scope) for name in operation.output.split(";")):
                value = self.largest_constant(operation)
                if value is not None:
                    return at, value
        raise CheckpointError(f"{self.path} has no {code} in {scope}: not the expected network")

    def has(self, scope: str) -> bool:
        """Whether any operation lies in a scope of names."""
        return any(operation.output.startswith(scope) for operation in self.operations)

    def largest_constant(self, operation: Operation) -> Array | None:
        """The constant with the most elements that an operation reads, None when it reads none."""
        found = [value for i in operation.inputs if i >= 0 and (value := self.constant(i)) is not None]
        return max(found, key=lambda value: value.size, default=None)
