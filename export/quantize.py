"""Float graph → graph with some layers in int8 (static QDQ), whose distance from the float one is known.

The scales are fixed when the graph is written, so that a sample depends on its own surroundings alone, as in float32.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx

from export.bundle import Arrays, Form, Quantization
from export.errors import SpecError
from export.inference import run_onnx
from export.products import Steps, layers, with_products

# Of the values that an activation takes, those beyond this percentile are clipped: a few outliers would coarsen the
# steps of all others.
PERCENTILE = 99.999


def quantize(proto: onnx.ModelProto, quantization: Quantization) -> tuple[onnx.ModelProto, float]:
    """The quantised graph and its signal-to-noise ratio in dB. Raises `SpecError` when that is too low."""
    *calibration, judge = quantization.inputs()
    chosen = layers(proto.graph, quantization.layers)
    if not chosen:
        raise SpecError(f"no layer of the graph has a weight named {' or '.join(quantization.layers)}")
    if quantization.form is Form.PRODUCTS:
        result = with_products(proto, chosen, _steps(proto, sorted({node.input[0] for node in chosen}), calibration))
    else:
        result = _with_convolutions(proto, [node.name for node in chosen], calibration)
    snr = _signal_to_noise(proto, result, judge)
    if not snr >= quantization.least_snr:
        raise SpecError(f"in int8 the graph's signal-to-noise ratio is {snr:.1f} dB, not {quantization.least_snr} dB")
    return result, snr


def _steps(proto: onnx.ModelProto, names: Sequence[str], inputs: Sequence[Arrays]) -> dict[str, Steps]:
    """For each tensor the steps that cover what it holds, but for a few outliers, when the graph gets these inputs."""
    watched = onnx.ModelProto()
    watched.CopyFrom(proto)
    del watched.graph.output[:]
    watched.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    data = watched.SerializeToString()
    seen = [run_onnx(data, one) for one in inputs]
    steps = {}
    for name in names:
        values = np.concatenate([one[name].reshape(-1) for one in seen])
        low, high = np.percentile(values, [100 - PERCENTILE, PERCENTILE])
        steps[name] = Steps.between(float(low), float(high))
    return steps


def _with_convolutions(proto: onnx.ModelProto, chosen: list[str], calibration: Sequence[Arrays]) -> onnx.ModelProto:
    """The graph with these convolutions from int8 to int8."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType
    from onnxruntime.quantization import quantize_static as quantize_graph

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """Gives one input after the other, then None."""

        def __init__(self) -> None:
            self.rest = iter(calibration)

        def get_next(self) -> Arrays | None:
            return next(self.rest, None)

    with tempfile.TemporaryDirectory(prefix="quantize-") as folder, _quiet():
        exact, path = Path(folder, "exact.onnx"), Path(folder, "model.onnx")
        exact.write_bytes(proto.SerializeToString())
        quantize_graph(
            str(exact),
            str(path),
            Reader(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["Conv"],
            nodes_to_quantize=chosen,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
        )
        result = onnx.load(path)
    result.ir_version = proto.ir_version
    return result


def _signal_to_noise(exact: onnx.ModelProto, quantized: onnx.ModelProto, inputs: Arrays) -> float:
    """Power of the first output over the power of its error, in dB."""
    wanted, got = (next(iter(run_onnx(p.SerializeToString(), inputs).values())) for p in (exact, quantized))
    return float(10 * np.log10(np.square(wanted).sum() / max(np.square(wanted - got).sum(), 1e-30)))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser logs advice through the root logger, and prints its progress."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
