"""ONNX graphs of any size: what protobuf cannot hold in one file has its weights in another beside it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

# From here on a graph has a second file; protobuf ends at 2 GiB.
MOST_BYTES = 1 << 30
# What is smaller stays in the graph: shapes are inferred from such constants.
_SMALL = 1 << 16
# ONNX Runtime maps a file of weights into memory where they begin at a page.
_PAGE = 4096


def is_large(proto: onnx.ModelProto) -> bool:
    """Whether a graph has more weights than go into one file."""
    return sum(len(constant.raw_data) for constant in proto.graph.initializer) > MOST_BYTES


def data_path(path: Path) -> Path:
    """The file with the weights of the graph at `path`, where it has one."""
    return path.with_name(f"{path.name}.data")


def save(proto: onnx.ModelProto, path: Path) -> None:
    """Write a graph so that its file is whole or not there; a large one's weights are written first."""
    if not is_large(proto):
        write_atomically(path, proto.SerializeToString())
        return
    data = data_path(path)
    with weights_outside(proto, data.name) as weights:
        write_atomically(data, *_paged(weights))
        write_atomically(path, proto.SerializeToString())


@contextlib.contextmanager
def saved(proto: onnx.ModelProto) -> Iterator[Path]:
    """A large graph as a file, for those who take no larger ones in memory."""
    with tempfile.TemporaryDirectory(prefix="graph-") as folder:
        path = Path(folder, "model.onnx")
        save(proto, path)
        yield path


@contextlib.contextmanager
def weights_outside(proto: onnx.ModelProto, location: str) -> Iterator[list[bytes]]:
    """The graph as if its large weights were in the file `location`; they are given, and put back at the end."""
    large = [constant for constant in proto.graph.initializer if len(constant.raw_data) > _SMALL]
    weights = [constant.raw_data for constant in large]
    start = 0
    for constant, data in zip(large, weights, strict=True):
        constant.ClearField("raw_data")
        constant.data_location = TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", str(start)), ("length", str(len(data)))):
            constant.external_data.add(key=key, value=value)
        start = _next_page(start + len(data))
    try:
        yield weights
    finally:
        put_back(proto, weights)


def put_back(proto: onnx.ModelProto, weights: list[bytes]) -> None:
    """Give a graph the weights that are outside of it, in their order."""
    outside = [constant for constant in proto.graph.initializer if constant.data_location == TensorProto.EXTERNAL]
    for constant, data in zip(outside, weights, strict=True):
        constant.ClearField("data_location")
        constant.ClearField("external_data")
        constant.raw_data = data


def write_atomically(path: Path, *parts: bytes) -> None:
    """Write a file of parts so that it is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            for part in parts:
                stream.write(part)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _paged(weights: list[bytes]) -> Iterator[bytes]:
    for data in weights:
        yield data
        yield bytes(_next_page(len(data)) - len(data))


def _next_page(size: int) -> int:
    return -(-size // _PAGE) * _PAGE
