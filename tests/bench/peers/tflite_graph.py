"""The demo voice's TFLite graph without what only TensorFlow itself can run."""

from __future__ import annotations

import numpy as np
import tflite

# Where a subgraph keeps its operators, in the table of the schema (schema.fbs of TensorFlow Lite, version 3).
_OPERATORS = 10
_SCOPE = "/dropout/"


def without_dropout(data: bytes) -> bytes:
    """A TFLite file with the operations of each dropout removed; whatever read its result reads its input instead.

    The published graph keeps a dropout of 0.5 on the pitch and energy embeddings, whose random numbers come from the
    operation `FlexRandomUniform` of TensorFlow. The file is changed in place: operators go from the list, and all the
    rest, the weights included, stays where it is.
    """
    edited = bytearray(data)
    graph = tflite.Model.GetRootAs(edited, 0).Subgraphs(0)
    operators = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    sources: dict[int, int] = {}
    kept = []
    for operator in operators:
        inputs, output = operator.InputsAsNumpy(), int(operator.OutputsAsNumpy()[0])
        if _SCOPE in graph.Tensors(output).Name().decode():
            # Its first input is, or comes from, what the dropout is applied to: see `Mul` and `Mul_1` of any dropout.
            sources[output] = sources.get(int(inputs[0]), int(inputs[0]))
            continue
        # A view of the file's bytes.
        inputs[:] = [sources.get(int(each), int(each)) for each in inputs]
        kept.append(operator._tab.Pos)
    # A vector of tables is its length and then, for each, how far away from there the table is.
    start = graph._tab.Vector(graph._tab.Offset(_OPERATORS))
    places = start + 4 * np.arange(len(kept))
    edited[start : start + 4 * len(kept)] = (np.array(kept) - places).astype("<u4").tobytes()
    edited[start - 4 : start] = len(kept).to_bytes(4, "little")
    return bytes(edited)
